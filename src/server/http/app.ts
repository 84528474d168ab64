import type { Server } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify';
import type { HttpParts } from './http-parts.ts';

/** The server with the types of its schemas: what a handler is given has been checked against them. */
export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Adds the routes of one file. Those of the API are given an app that puts `/api/v1` before their paths. */
export type RouteFile = (app: App, parts: HttpParts) => void;

/** What a request must be allowed to do; by default GET and HEAD read, everything else writes. */
export type Access = 'open' | 'read' | 'write';

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access;
  }

  interface FastifyInstance {
    /** Aborted when the server begins to close: answers that never end by themselves end then. */
    readonly closing: AbortSignal;
  }
}
