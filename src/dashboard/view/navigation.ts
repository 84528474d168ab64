import { createWatched, type Watched } from '../state/store.ts';

export const ROUTES = ['', 'history', 'devices', 'wall'] as const;
export type Route = (typeof ROUTES)[number];

export interface Place {
  readonly route: Route;
  /** With its `?`, or empty. */
  readonly search: string;
}

/** The address bar holds the view. All pages are one path segment deep, so that relative addresses work under any prefix. */
export interface Navigation {
  /** Where the page lives, with a slash at its end. */
  readonly base: string;
  readonly place: Watched<Place>;
  go(route: Route, search?: string): void;
  /** The same page with another view: the back button doesn't stop at each step of a zoom. */
  replace(search: string): void;
  href(route: Route, search?: string): string;
}

export function createNavigation(window: Window): Navigation {
  const base = new URL('.', window.location.href.split(/[?#]/)[0]).href;
  const read = (): Place => {
    const last = window.location.pathname.split('/').at(-1) ?? '';
    return { route: ROUTES.find((route) => route === last) ?? '', search: window.location.search };
  };
  const place = createWatched(read());
  window.addEventListener('popstate', () => place.set(read()));
  const href: Navigation['href'] = (route, search = '') => `${base}${route}${search}`;
  return {
    base,
    place,
    href,
    go(route, search = '') {
      window.history.pushState(null, '', href(route, search));
      place.set(read());
    },
    replace(search) {
      window.history.replaceState(null, '', search);
      place.set(read());
    },
  };
}
