/** Where a service without `STATE_DIRECTORY` (a terminal, `npm start`) keeps what must last. */
const LOCAL_STATE_DIRECTORY = './var';

/** The folder for what must last: systemd's `$STATE_DIRECTORY` (the first, where the unit names several), else `./var`. */
export function stateDirectory(env: NodeJS.ProcessEnv): string {
  const [first = ''] = (env['STATE_DIRECTORY'] ?? '').split(':');
  return first === '' ? LOCAL_STATE_DIRECTORY : first;
}
