import { asRecord, parseJson, WireError } from './json.ts';

/** What anyone with the right to publish on `command` may ask of an agent. */
export interface Command {
  readonly action: 'measure';
}

/** `{"action":"measure"}`. @throws WireError when the action is none of ours */
export function decodeCommand(text: string): Command {
  const record = asRecord(parseJson(text), 'a command');
  if (record['action'] !== 'measure') {
    throw new WireError('WIRE_SCHEMA', `action must be "measure", found ${JSON.stringify(record['action'] ?? null)}`);
  }
  return { action: 'measure' };
}
