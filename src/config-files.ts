import { renderReference } from './config/reference.ts';
import { renderDeviceConf } from './device/config.ts';
import { DEVICE_SCHEMA } from './device/config-schema.ts';
import { renderServerConf } from './server/config.ts';
import { SERVER_SCHEMA } from './server/config-schema.ts';

/** The files that are generated from the schemas, by their path in the project. `npm run config:files` writes them. */
export function configFiles(): Readonly<Record<string, string>> {
  return {
    'config/device.conf': renderDeviceConf(),
    'config/server.conf': renderServerConf(),
    'docs/configuration.md': renderReference([
      { file: '/etc/techtemp/device.conf', program: 'techtemp-device', schema: DEVICE_SCHEMA },
      { file: '/etc/techtemp/server.conf', program: 'techtemp-server', schema: SERVER_SCHEMA },
    ]),
  };
}
