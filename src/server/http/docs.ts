import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { App, HttpParts } from './parts.ts';

/** The page builds styles as it draws and holds its pictures inside; scripts are files from here, as everywhere. */
const DOCS_CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const DESCRIPTION = `What the server has recorded, and the house it was recorded in.

Times are ISO 8601 in UTC. A stretch of time includes its beginning (\`from\`) and not its end (\`to\`); without \`to\` it ends now.
Things are named by their uid. Lists that can be long come in pages: where an answer has \`next\`, there is more; give it as \`after\`.
Errors have one shape: \`error\` is for people, \`code\` for programs.`;

const TAGS = [
  { name: 'readings', description: 'What was measured' },
  { name: 'statistics', description: 'What it amounts to: buckets, days, rooms' },
  { name: 'devices', description: 'Who measures, and where it stood' },
  { name: 'rooms', description: 'Where' },
  { name: 'record', description: 'What is missing or could not be stored, and why' },
  { name: 'live', description: 'What happens now' },
  { name: 'server', description: 'The server itself' },
];

/** Must be called before the routes are added: it describes those that come after it. */
export async function describeRoutes(app: App, { http, version }: Pick<HttpParts, 'http' | 'version'>): Promise<void> {
  const { basePath } = http.current;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'TechTemp', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: basePath === '' ? '/' : basePath }],
      tags: TAGS,
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A secret from `techtemp-server token create`. Needed for writing unless the server listens on loopback only, and for reading with `http.reading = token`.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const named = { operationId: operationId([route.method].flat()[0] ?? 'GET', url), ...schema };
      const isOpen = route.config?.access === 'open';
      // Whether it is needed depends on the configuration: either nothing or a token will do.
      return { schema: isOpen ? named : { ...named, security: [{}, { token: [] }] }, url };
    },
  });
}

/** The page at /docs and the document at /docs/json; everything it needs comes from here. Reads, so it may need a token. */
export async function addDocsPage(app: App, { http }: Pick<HttpParts, 'http'>): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: http.current.basePath,
    // Its type asks for a picture; null is how the plugin leaves it out.
    logo: null as never,
    staticCSP: DOCS_CONTENT_SECURITY_POLICY,
    theme: { title: 'TechTemp API' },
    uiConfig: { layout: 'BaseLayout', deepLinking: true, defaultModelsExpandDepth: -1 },
  });
}

/** `GET /api/v1/devices/:uid/readings` -> `getDevicesByUidReadings`: what a generated client calls it where its route gives no name. */
function operationId(method: string, url: string): string {
  const steps = url
    .replace('/api/v1/', '/')
    .split('/')
    .filter((step) => step !== '');
  const words = steps.flatMap((step) => step.replace(/^:/, 'by-').split(/[^A-Za-z0-9]+/));
  return method.toLowerCase() + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
}
