import type { RouteOptions } from 'fastify';

/** Knows which methods each path has, so that a wrong method is not told as a wrong path. */
export interface MethodTable {
  /** Takes note of a route. */
  add(route: Pick<RouteOptions, 'method' | 'url'>): void;
  /** Methods of the path (without its query), sorted; empty where there is no such path. */
  methodsOf(path: string): readonly string[];
}

export function createMethodTable(): MethodTable {
  const routes = new Map<string, { readonly steps: readonly string[]; readonly methods: Set<string> }>();
  return {
    add({ method, url }) {
      // `*` answers preflight requests of any path: it is no path of its own.
      if (url === '*') return;
      const known = routes.get(url) ?? { steps: url.split('/'), methods: new Set() };
      routes.set(url, known);
      for (const name of [method].flat()) known.methods.add(name.toUpperCase());
    },
    methodsOf(path) {
      const steps = path.split('/');
      const found = [...routes.values()].filter((route) => matches(route.steps, steps));
      return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort();
    },
  };
}

function matches(pattern: readonly string[], steps: readonly string[]): boolean {
  if (pattern.at(-1) === '*')
    return steps.length >= pattern.length && matches(pattern.slice(0, -1), steps.slice(0, pattern.length - 1));
  return (
    pattern.length === steps.length &&
    pattern.every((step, index) => (step.startsWith(':') ? steps[index] !== '' : step === steps[index]))
  );
}
