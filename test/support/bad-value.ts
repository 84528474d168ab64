import type { KeySpec } from '../../src/config/schema.ts';

/** Something that no key of this format takes. */
export function badValue(spec: KeySpec): string {
  switch (spec.format) {
    case 'text':
      return 'line\nbreak';
    case 'id':
      return 'not an id';
    case 'host':
      return 'http://host';
    case 'path':
      return '~/file';
    case 'topic':
      return 'a/+/b';
    case 'time-zone':
      return 'Europe/Atlantis';
    case 'time-of-day':
      return '24:00';
    case 'url-prefix':
      return 'no slash';
    case 'origin-list':
      return 'https://one.example, two.example';
    case 'network-list':
      return '10.0.0.0/8, 10.0.0.0/33';
    case 'name-list':
      return 'climate.example.org:3000';
    case 'number':
    case 'integer':
    case 'address':
      return '30s';
    case 'seconds':
    case 'whole-seconds':
      return '30 MB';
    case 'kB':
    case 'MB':
      return '30 s';
    case 'yes-no':
    case 'auto-yes-no':
    case 'choice':
    case 'log-level':
      return 'perhaps';
  }
}
