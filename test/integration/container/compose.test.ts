import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
/** Docker's own plugin, or the program of the same name that Debian 12 and 13 have. */
const COMPOSE = [['docker', 'compose'], ['docker-compose']].find(
  ([program = '', ...words]) => spawnSync(program, [...words, 'version']).status === 0,
);

describe.skipIf(COMPOSE === undefined)(
  `docker compose config${COMPOSE === undefined ? ' (skipped: docker compose is not installed)' : ''}`,
  () => {
    // A copy, because a project is a folder beside compose.yaml.
    let copy = '';
    beforeAll(() => {
      copy = mkdtempSync(join(tmpdir(), 'techtemp-compose-'));
      cpSync(join(root, 'config'), join(copy, 'config'), { recursive: true });
      for (const name of ['production', 'staging']) {
        cpSync(join(copy, 'config/container/example'), join(copy, 'config/container', name), { recursive: true });
      }
      const settings = join(copy, 'config/container/staging/settings.env');
      const staging = readFileSync(settings, 'utf8')
        .replace('FOLDER=./production', 'FOLDER=./staging')
        .replace('INSTANCE=main', 'INSTANCE=staging')
        .replace('RECEIPTS=yes', 'RECEIPTS=no')
        .replace('COMPOSE_PROFILES=broker', 'COMPOSE_PROFILES=')
        .replace('BROKER_HOST=broker', 'BROKER_HOST=host.docker.internal')
        .replace('HTTP_PORT=3000', 'HTTP_PORT=3001');
      writeFileSync(settings, staging);
    });
    afterAll(() => rmSync(copy, { recursive: true, force: true }));

    it('accepts the example with every profile', () => {
      const { status, stdout, stderr } = config('production', ['broker', 'grafana', 'postgres']);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      for (const service of ['server', 'broker', 'prometheus', 'grafana', 'postgres']) {
        expect(stdout).toMatch(new RegExp(`^ {2}${service}:$`, 'm'));
      }
    });

    it('accepts a second project, which shares neither name, port, volume nor settings with the first', () => {
      const { status, stdout, stderr } = config('staging', []);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/TECHTEMP_MQTT_INSTANCE: staging/);
      expect(stdout).toMatch(/TECHTEMP_MQTT_RECEIPTS: ['"]?no['"]?$/m);
      expect(stdout).toMatch(/TECHTEMP_MQTT_BROKER_HOST: host\.docker\.internal/);
      expect(stdout).toMatch(/3001/);
      expect(stdout).not.toMatch(/container\/production/);
      // Named by the project: a name of its own would be one for all.
      expect(stdout).not.toMatch(/container_name|external/);
    });

    it('refuses to start without settings, and says what to give', () => {
      const { status, stderr } = run(['config']);
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/is not set; give a settings file with --env-file/);
    });

    function config(project: string, profiles: readonly string[]): ReturnType<typeof run> {
      const words = ['-p', `techtemp-${project}`, '--env-file', `config/container/${project}/settings.env`];
      return run([...words, ...profiles.flatMap((name) => ['--profile', name]), 'config']);
    }

    function run(words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
      const [program = '', ...first] = COMPOSE ?? [];
      const all = [...first, '-f', 'config/container/compose.yaml', ...words];
      return spawnSync(program, all, {
        cwd: copy,
        env: { ...process.env, COMPOSE_PROFILES: undefined },
        encoding: 'utf8',
      });
    }
  },
);
