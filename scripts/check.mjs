// Everything that `npm run check` asks for, on all processors at once; the longest comes first. Prints how long each check took, and the
// whole output of one that fails.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Scripts of package.json. */
const CHECKS = ['lint', 'typecheck', 'check:imports', 'check:dead', 'check:format'];

const waiting = [...CHECKS];
const failed = [];
await Promise.all(Array.from({ length: availableParallelism() }, work));
if (failed.length > 0) {
  console.error(`failed: ${failed.map((name) => `npm run ${name}`).join(', ')}`);
  process.exit(1);
}

async function work() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const begun = Date.now();
    const { isGood, output } = await run(name);
    const seconds = Math.round((Date.now() - begun) / 1000);
    console.log(`${isGood ? 'ok    ' : 'failed'} ${name} (${seconds} s)${isGood ? '' : `\n${output}`}`);
    if (!isGood) failed.push(name);
  }
}

function run(name) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', name], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => resolve({ isGood: false, output: error.message }));
    child.once('close', (code) => resolve({ isGood: code === 0, output }));
  });
}
