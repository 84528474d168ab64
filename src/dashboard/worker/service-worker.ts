/**
 * Keeps this build's files, so that the page opens without a connection and shows its last known values. The API, the stream
 * and exports are never touched: old answers would look like new ones. Only where the browser allows it (https, localhost).
 */

export {};

declare const self: ServiceWorkerGlobalScope;
/** Set by scripts/build-dashboard.mjs: this build's name and its files. */
declare const BUILD: { readonly name: string; readonly files: readonly string[] };

const CACHE = `techtemp-${BUILD.name}`;
const PAGES = ['', 'history', 'devices', 'wall'];
/** A server that takes longer than this to send its page counts as unreachable. */
const PATIENCE_MS = 3_000;

self.addEventListener('install', (event) => {
  event.waitUntil(keepBuild());
});

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOtherBuilds());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const path = request.url.startsWith(self.registration.scope)
    ? request.url.slice(self.registration.scope.length).replace(/[?#].*$/, '')
    : undefined;
  if (request.method !== 'GET' || path === undefined) return;
  if (request.mode === 'navigate' && PAGES.includes(path)) event.respondWith(page(request));
  else if (BUILD.files.includes(path)) event.respondWith(kept(request, path));
});

async function keepBuild(): Promise<void> {
  const cache = await caches.open(CACHE);
  // Fails as a whole when one file fails: half a page does not work.
  await cache.addAll(['./', ...BUILD.files]);
}

async function forgetOtherBuilds(): Promise<void> {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith('techtemp-') && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}

/** The page from the server if it answers, else the kept one. */
async function page(request: Request): Promise<Response> {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.ok) return response;
    throw new Error(`the server answered ${response.status}`);
  } catch (error) {
    const found = await caches.match('./', { cacheName: CACHE });
    if (found === undefined) throw error;
    return found;
  }
}

async function kept(request: Request, path: string): Promise<Response> {
  return (await caches.match(path, { cacheName: CACHE })) ?? fetch(request);
}
