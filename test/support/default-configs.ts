import { loadConfig } from '../../src/config/load.ts';
import { toConfig } from '../../src/config/names.ts';
import { DEVICE_SCHEMA } from '../../src/device/config-schema.ts';
import { SERVER_SCHEMA } from '../../src/server/config-schema.ts';

const NOTHING = { env: {}, flags: {} };

/** The defaults of each program. Test sections start from them, so that a new key is not written in every test. */
export const DEVICE_DEFAULTS = toConfig(DEVICE_SCHEMA, loadConfig(DEVICE_SCHEMA, NOTHING).values);
export const SERVER_DEFAULTS = toConfig(SERVER_SCHEMA, loadConfig(SERVER_SCHEMA, NOTHING).values);
