import type { RouteFile } from '../app.ts';
import { Data, errors } from '../schemas/common.ts';
import { ServerInfo } from '../schemas/server.ts';
import { bearerOf, rightsOf, rightsWithoutToken } from '../security/access.ts';

/** What a page needs to know before anything else: whose house this is, and whether it has to ask for a token. */
export const addServerRoutes: RouteFile = (app, parts) => {
  app.get(
    '/server',
    {
      // Whoever has no token yet must be able to learn that one is needed.
      config: { access: 'open' },
      schema: {
        tags: ['server'],
        operationId: 'getServer',
        summary: 'The server, and what this request may do',
        description: 'Answers everybody; name, version and time zone only to those who may read.',
        response: { 200: Data(ServerInfo), ...errors },
      },
    },
    async (request, reply) => {
      const { http, house, version } = parts;
      const open = rightsWithoutToken(request, http.current);
      const rights = await rightsOf(request, parts);
      // Elsewhere a wrong token is refused, also where none is needed.
      const known = rights === 'unknown-token' ? 'none' : rights;
      reply.header('cache-control', 'no-store');
      return {
        data: {
          product: 'TechTemp' as const,
          ...(known !== 'none' && { name: house.current.name, version, time_zone: house.current.timeZone }),
          reading: open === 'none' ? ('token' as const) : ('open' as const),
          writing: open === 'write' ? ('open' as const) : ('token' as const),
          rights: known,
          token:
            bearerOf(request) === undefined
              ? ('absent' as const)
              : rights === 'unknown-token'
                ? ('invalid' as const)
                : ('valid' as const),
        },
      };
    },
  );
};
