import { expect, it } from 'vitest';
import { createMethodTable } from '../../../../src/server/http/errors.ts';

const table = createMethodTable();
table.add({ method: 'GET', url: '/api/devices' });
table.add({ method: ['POST', 'HEAD'], url: '/api/devices' });
table.add({ method: 'PUT', url: '/api/devices/:uid' });
table.add({ method: 'POST', url: '/api/devices/batch' });
table.add({ method: 'GET', url: '/docs/static/*' });
table.add({ method: 'OPTIONS', url: '*' });

it.each([
  ['/api/devices', ['GET', 'HEAD', 'POST']],
  ['/api/devices/a', ['PUT']],
  ['/api/devices/batch', ['POST', 'PUT']],
  ['/docs/static/a/b.js', ['GET']],
  ['/api/devices/', []],
  ['/api/devices/a/b', []],
  ['/api', []],
  ['/', []],
])('%s has %j', (path, methods) => {
  expect(table.methodsOf(path)).toEqual(methods);
});
