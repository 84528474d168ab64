import type { RouteFile } from './app.ts';

/** What the API is made of; the paths are relative to `/api/v1`. */
export const API_ROUTES: readonly RouteFile[] = [];

/** Beside the API: their paths begin at the server's root. */
export const ROOT_ROUTES: readonly RouteFile[] = [];
