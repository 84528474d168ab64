import { readFileSync } from 'node:fs';
import { createReloadAnswers } from '../../../src/cli/reload.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { installSignals } from '../../../src/platform/signals.ts';
import { oneAtATime } from '../../../src/platform/tasks.ts';

/** Judges its config file at SIGHUP as the agent does: `bad…` is refused, `slow` takes its time, `dies` ends it, `mute` gives no answer. */
const signals = installSignals(process);
const [config = ''] = process.argv.slice(2);
const answers = createReloadAnswers(process.env['RUNTIME_DIRECTORY']);
const clock = createSystemClock();
let generation = 1;
let inForce = readFileSync(config, 'utf8');

async function reload(): Promise<void> {
  const question = await answers.question();
  const content = readFileSync(config, 'utf8');
  if (content.startsWith('dies')) process.exit(1);
  if (content.startsWith('mute')) return;
  if (content.startsWith('slow')) await clock.sleep(500);
  if (content.startsWith('bad')) {
    const message = `${config}:1: ${content}\n${config}:2: and more`;
    await answers.answer(question, { result: 'rejected', generation, message });
  } else if (content === inForce) {
    await answers.answer(question, { result: 'unchanged', generation, message: 'nothing has changed' });
  } else {
    inForce = content;
    generation += 1;
    await answers.answer(question, { result: 'applied', generation, message: `in force: ${content}` });
  }
}

signals.onReload(oneAtATime(reload));
console.log('ready');
await clock.sleep(Number.POSITIVE_INFINITY, signals.stop).catch(() => undefined);
