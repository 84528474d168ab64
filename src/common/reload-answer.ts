import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from './atomic-file.ts';

/**
 * How `systemctl reload` learns what came of a reload. systemd/techtemp-reload leaves a random word in `reload-request`,
 * sends SIGHUP, and waits for that word in `reload-answer`:
 *
 *     request 3f0c8f9e-7d0e-4c5b-9f0e-2f4b1f6e3a11
 *     generation 7
 *     result rejected
 *     /etc/techtemp/device.conf:12: read_interval_seconds = "soon": ...
 *
 * The word is read before the config is, so an answer with it speaks of the file as it was after the question.
 */
export interface ReloadAnswers {
  /** Called before the config is read. Never throws. Hand its result to `answer`. */
  question(): Promise<ReloadQuestion>;
  /** Called when the outcome is known, after READY=1; one at a time, in the order of the questions. Throws what the file system throws. */
  answer(question: ReloadQuestion, outcome: ReloadOutcome): Promise<void>;
}

export interface ReloadQuestion {
  readonly request: string;
}

export interface ReloadOutcome {
  /** `unchanged`: a good file with nothing new in it. */
  readonly result: 'applied' | 'unchanged' | 'rejected';
  /** Counts the configurations that were in force; it stays where it is when a file is rejected. */
  readonly generation: number;
  /** For people: what changed, or each fault on a line of its own. */
  readonly message: string;
}

const REQUEST_FILE = 'reload-request';
const ANSWER_FILE = 'reload-answer';
/** Nobody has asked yet: the file itself has changed. */
const NO_REQUEST = 'none';
const REQUEST_WORD = /^[\w-]{1,64}$/;

/** `runtimeDirectory`: $RUNTIME_DIRECTORY; without one nobody waits for an answer, and none is written. */
export function createReloadAnswers(runtimeDirectory: string | undefined): ReloadAnswers {
  if (runtimeDirectory === undefined || runtimeDirectory === '') {
    return { question: async () => Promise.resolve({ request: NO_REQUEST }), answer: async () => Promise.resolve() };
  }
  return {
    async question() {
      const word = await readFile(join(runtimeDirectory, REQUEST_FILE), 'utf8').catch(() => '');
      return { request: REQUEST_WORD.test(word.trim()) ? word.trim() : NO_REQUEST };
    },
    async answer({ request }, { result, generation, message }) {
      const lines = [`request ${request}`, `generation ${generation}`, `result ${result}`, message.trimEnd(), ''];
      await writeFileAtomic(join(runtimeDirectory, ANSWER_FILE), lines.join('\n'), { durable: 'no' });
    },
  };
}
