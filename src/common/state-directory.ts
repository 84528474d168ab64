/** Where a service without `STATE_DIRECTORY` (a terminal, `npm start`) keeps what must last. */
const LOCAL_STATE_DIRECTORY = './var';

/** The same where a service manager gave one; a terminal's `./var` is wherever somebody stood. */
export function givenStateDirectory(env: NodeJS.ProcessEnv): string | undefined {
  const [first = ''] = (env['STATE_DIRECTORY'] ?? '').split(':');
  return first === '' ? undefined : first;
}

/** The folder for what must last: systemd's `$STATE_DIRECTORY` (the first, where the unit names several), else `./var`. */
export function stateDirectory(env: NodeJS.ProcessEnv): string {
  return givenStateDirectory(env) ?? LOCAL_STATE_DIRECTORY;
}
