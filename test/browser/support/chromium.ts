import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const BINARY = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

/** Why tests in a browser can't run here; undefined when they can. */
export const chromiumMissing =
  BINARY === undefined ? 'Chromium is not installed (Debian: apt-get install chromium)' : undefined;

/** A real Chromium with a fresh profile, that asks the world for nothing. */
export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: BINARY ?? '',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
