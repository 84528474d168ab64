import { readdir, readFile } from 'node:fs/promises';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';

/**
 * What Prometheus knows any process by, under the customary names. prom-client's own collection is not used: it watches the event
 * loop with a timer every 10 ms for ever, which on a Pi costs more than the server's idle work.
 */
export function addProcessMetrics(registry: Registry, clock: Pick<Clock, 'nowMs'>): void {
  const registers = [registry];
  const startedS = clock.nowMs() / 1000 - process.uptime();
  const gauge = (name: string, help: string, value: () => number | undefined | Promise<number | undefined>): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const now = await value();
        if (now === undefined) this.remove();
        else this.set(now);
      },
    });
  };
  const cpuSeconds = (name: string, help: string, micros: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(micros() / 1e6);
      },
    });
  };
  cpuSeconds('process_cpu_user_seconds_total', 'CPU time of its own code.', () => process.cpuUsage().user);
  cpuSeconds('process_cpu_system_seconds_total', 'CPU time in the kernel.', () => process.cpuUsage().system);
  cpuSeconds('process_cpu_seconds_total', 'CPU time altogether.', () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  });
  gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970.', () => startedS);
  gauge('process_resident_memory_bytes', 'Resident memory in bytes.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_total_bytes', 'Heap of JavaScript in bytes.', () => process.memoryUsage().heapTotal);
  gauge('nodejs_heap_size_used_bytes', 'Used part of that heap in bytes.', () => process.memoryUsage().heapUsed);
  gauge('nodejs_external_memory_bytes', 'Memory outside of that heap in bytes.', () => process.memoryUsage().external);
  gauge('process_open_fds', 'Open file descriptors.', openFiles);
  gauge('process_max_fds', 'Limit of open file descriptors.', maxFiles);
}

/** Undefined where there is no /proc. */
async function openFiles(): Promise<number | undefined> {
  const names = await readdir('/proc/self/fd').catch(() => undefined);
  // The folder that is being read is one of them.
  return names === undefined ? undefined : names.length - 1;
}

async function maxFiles(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}
