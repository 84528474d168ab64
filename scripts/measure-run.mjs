// Runs the built programs for measure-house.mjs: Mosquitto on a free port, the server, the agent with the simulated sensor.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const INTERVAL_MS = 500;
const START_LIMIT_MS = 60_000;
const POLL_MS = 100;
/** Readings before anything is counted: connections, first statements, lazy imports. */
const WARM_READINGS = 6;
/** In /proc/PID/stat; getconf CLK_TCK is 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;
const OWN_SOURCE = /^(?:\.\.\/)+((?:src|drivers)\/.*)$/;

/**
 * `functions`: so many of our functions with the most calls are named for each program; 0 for none.
 * @returns memory, CPU time and calls by program. @throws Error that says what is missing
 */
export async function measureRun(root, readings, functions = 0) {
  for (const name of ['techtemp-device.js', 'techtemp-server.js']) {
    if (!existsSync(join(root, 'dist', name))) throw new Error(`dist/${name} is missing; run \`npm run build\` first`);
  }
  const start = await withPrograms(root, undefined, async ({ server, device, stored }) => {
    await until(async () => (await stored()) >= 1, 'the first reading is stored');
    return { device: processFigures(device.pid), server: processFigures(server.pid) };
  });
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-measure-'));
  try {
    const reports = await withPrograms(root, folder, async ({ stored }) => {
      await until(async () => (await stored()) >= WARM_READINGS, 'the programs are warm');
      const early = await takeCoverage(folder, 'begin');
      await sleep(readings * INTERVAL_MS);
      const reports = await takeCoverage(folder, 'end');
      return reports.filter((name) => !early.includes(name));
    });
    return { start, reading: callsOf(folder, reports, join(root, 'dist'), functions) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts everything, gives it to `work`, and ends it whatever happens. With `coverage` calls are counted into that folder. */
async function withPrograms(root, coverage, work) {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-measure-'));
  const [brokerPort, httpPort] = [await freePort(), await freePort()];
  const children = [];
  const run = (command, args, env = {}) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
    child.once('error', (error) => process.stderr.write(`${command}: ${error.message}\n`));
    children.push(child);
    return child;
  };
  const program = (name, config) => {
    const state = join(folder, name);
    mkdirSync(state);
    const file = join(folder, `${name}.conf`);
    writeFileSync(file, config);
    const counting = coverage === undefined ? {} : countingEnvironment(coverage);
    return run(process.execPath, [join(root, 'dist', `${name}.js`), 'run', '--config', file], {
      STATE_DIRECTORY: state,
      NOTIFY_SOCKET: '',
      ...counting,
    });
  };
  try {
    const brokerConfig = join(folder, 'mosquitto.conf');
    writeFileSync(brokerConfig, `listener ${brokerPort} 127.0.0.1\nallow_anonymous true\n`);
    run('mosquitto', ['-c', brokerConfig], { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` });
    const mqtt = `[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${brokerPort}\n`;
    const server = program('techtemp-server', `${mqtt}[http]\nport = ${httpPort}\nrate_per_minute = 0\n`);
    const stored = async () => {
      const text = await fetch(`http://127.0.0.1:${httpPort}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      return Number(/^techtemp_ingest_readings_stored_total (\d+)$/m.exec(text)?.[1] ?? -1);
    };
    await until(async () => (await stored()) >= 0, 'the server answers');
    const device = program(
      'techtemp-device',
      `${mqtt}[sensor]\ntype = simulated\nread_interval_seconds = ${INTERVAL_MS / 1000}\n[clock]\nsource = trust\n`,
    );
    return await work({ server, device, stored });
  } finally {
    for (const child of children.reverse()) await end(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every thread says that it is there. When it sees a file with the name of a mark it writes its counts, begins again at 0, and says so. */
function countingEnvironment(folder) {
  const preload = join(folder, 'preload.mjs');
  writeFileSync(
    preload,
    `import { existsSync, writeFileSync } from 'node:fs';
import { takeCoverage } from 'node:v8';
import { threadId } from 'node:worker_threads';
const folder = ${JSON.stringify(folder)};
const say = (word, atMs) => writeFileSync(folder + '/' + word + '-' + process.pid + '-' + threadId, String(atMs));
const marks = ['begin', 'end'];
say('thread', Date.now());
setInterval(() => {
  if (marks.length === 0 || !existsSync(folder + '/' + marks[0])) return;
  const seenMs = Date.now();
  takeCoverage();
  const mark = marks.shift();
  say(mark, mark === 'begin' ? Date.now() : seenMs);
}, ${POLL_MS}).unref();
`,
  );
  return { NODE_V8_COVERAGE: folder, NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` };
}

/** @returns the names of all reports that are there when every thread has written its counts */
async function takeCoverage(folder, mark) {
  writeFileSync(join(folder, mark), '');
  const count = (word) => readdirSync(folder).filter((name) => name.startsWith(`${word}-`)).length;
  await until(() => count(mark) >= count('thread'), 'every thread has written its counts');
  return readdirSync(folder).filter((name) => name.endsWith('.json'));
}

/** Of each bundle: what is called for every reading, in our own files and in libraries. */
function callsOf(folder, reports, dist, most) {
  const programs = {};
  for (const report of reports) {
    const readings = countedMs(folder, /^coverage-(\d+)-/.exec(report)?.[1]) / INTERVAL_MS;
    const { result } = JSON.parse(readFileSync(join(folder, report), 'utf8'));
    for (const { url, functions } of result) {
      const name = ['techtemp-device', 'techtemp-server', 'techtemp-store-worker'].find(
        (one) => url === pathToFileURL(join(dist, `${one}.js`)).href,
      );
      if (name === undefined) continue;
      const sourceOf = sourceFinder(join(dist, `${name}.js`));
      const called = functions.flatMap(({ functionName, ranges: [{ startOffset, count }] }) => {
        // What comes less than once a reading is not on its way: status, heartbeat, flushes.
        return count < readings * 0.9 ? [] : [{ functionName, count, ...sourceOf(startOffset) }];
      });
      const own = called.filter(({ source }) => source !== undefined);
      if (own.length === 0) continue;
      const thread = name in programs ? `${name}, another thread` : name;
      const perReading = (list) => Math.round(list.reduce((sum, { count }) => sum + count, 0) / readings);
      programs[thread] = {
        readings: Math.round(readings),
        ownFiles: new Set(own.map(({ source }) => source)).size,
        ownFunctions: own.length,
        ownCalls: perReading(own),
        libraryCalls: perReading(called.filter(({ source }) => source === undefined)),
        ...(most > 0 && { callsByFunction: callsByFunction(own, readings, most) }),
      };
    }
  }
  return programs;
}

/** `file:line function` -> calls for every reading, most first. */
function callsByFunction(own, readings, most) {
  const sorted = own.toSorted((a, b) => b.count - a.count).slice(0, most);
  return Object.fromEntries(
    sorted.map(({ source, line, functionName, count }) => [
      `${source}:${line} ${functionName}`.trim(),
      Math.round((count * 10) / readings) / 10,
    ]),
  );
}

/** For how long a process counted; a reading is taken every INTERVAL_MS of it. */
function countedMs(folder, pid) {
  const times = (mark) =>
    readdirSync(folder)
      .filter((name) => name.startsWith(`${mark}-${pid}-`))
      .map((name) => Number(readFileSync(join(folder, name), 'utf8')));
  return Math.max(...times('end')) - Math.min(...times('begin'));
}

/** @returns a function from an offset in a bundle to the path and line in our files; undefined for a library's */
function sourceFinder(path) {
  const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')));
  const starts = [0];
  for (const { index } of readFileSync(path, 'utf8').matchAll(/\n/g)) starts.push(index + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    const { originalSource = '', originalLine = 0 } = map.findEntry(low, offset - starts[low]);
    const source = OWN_SOURCE.exec(originalSource)?.[1];
    return source === undefined ? undefined : { source, line: originalLine + 1 };
  };
}

/** Memory that only this process uses, with its share of what several use; CPU time since its start. */
function processFigures(pid) {
  const [, pss] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return { pssKb: Number(pss), cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

async function until(isTrue, what) {
  for (const endMs = Date.now() + START_LIMIT_MS; Date.now() < endMs; await sleep(POLL_MS)) if (await isTrue()) return;
  throw new Error(`waited ${START_LIMIT_MS / 1000} s, but not until ${what}`);
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill();
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
