// Leaves in node_modules what dist/techtemp-server.js loads from there on Node.js 22 or newer, with what those packages need in
// turn; everything else is in dist/ already. Versions are those of package-lock.json: nothing is fetched.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const LOADED = ['@fastify/swagger-ui', 'better-sqlite3-napi'];

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const all = { ...manifest.dependencies, ...manifest.optionalDependencies };
const { devDependencies: _, optionalDependencies: __, ...rest } = manifest;
const dependencies = Object.fromEntries(LOADED.map((name) => [name, all[name]]));
writeFileSync('package.json', JSON.stringify({ ...rest, dependencies }));
execFileSync('npm', ['prune', '--ignore-scripts', '--no-audit', '--no-fund'], { stdio: 'inherit' });
