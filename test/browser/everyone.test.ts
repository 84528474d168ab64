import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { calmValues, DashboardRig, dashboardRigMissing, HOUR_MS } from './support/dashboard-rig.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const NOW = Date.now();
const PAGES = ['', 'history?last=24h', 'devices?uid=aht20-000002', 'wall'] as const;

/** What axe finds serious or worse, of the rules of WCAG 2.2 AA. */
async function seriousIn(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    async () =>
      await (window as unknown as { axe: { run(root: Document, options: object): Promise<AxeResults> } }).axe.run(
        document,
        {
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
        },
      ),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`));
}

const settled = async (page: Page): Promise<void> => {
  await page.locator('main *').first().waitFor();
  // Several parts may be busy.
  await page.waitForFunction(() => document.querySelector('[aria-busy=true], .plot.busy') === null);
};

describe.skipIf(dashboardRigMissing !== undefined)(
  `the dashboard, for everyone${dashboardRigMissing ? ` (skipped: ${dashboardRigMissing})` : ''}`,
  () => {
    let rig: DashboardRig;

    beforeAll(async () => {
      rig = await DashboardRig.open();
      const rooms = ['Kitchen', 'Salle de séjour au premier étage', 'Cellar', 'Attic', 'Bathroom', 'Garden', 'Hall'];
      for (const [index, room] of rooms.entries()) {
        const uid = `aht20-00000${index}`;
        await rig.status(uid, { room, ...(index === 3 && { clock: { state: 'unsynced' } }) });
        const values = calmValues(30, NOW, 16 + index).filter((_, minute) => minute % 10 === 0);
        await rig.backlog(uid, index === 2 ? values.filter(({ ts }) => ts < NOW - 5 * HOUR_MS) : values);
      }
      await rig.gap('aht20-000002', NOW - 5 * HOUR_MS, NOW - 4 * HOUR_MS, 'dropped');
      await rig.raw('home/lilas/sensors/aht20-000001/reading', 'nonsense');
    });
    afterEach(async () => {
      for (const context of rig.browser.contexts()) await context.close();
      expect(rig.wrongs).toEqual([]);
    });
    afterAll(async () => await rig.close());

    for (const path of PAGES) {
      for (const colorScheme of ['light', 'dark'] as const) {
        it(`axe finds nothing serious on /${path}, ${colorScheme}, on a phone and on a wide screen`, async () => {
          for (const [width, height, locale] of [
            [360, 740, 'fr-BE'],
            [1920, 1080, 'nl-BE'],
          ] as const) {
            const page = await rig.page(path, { viewport: { width, height }, colorScheme, locale });
            await settled(page);
            expect(await seriousIn(page)).toEqual([]);
            const beside = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            expect(beside, `${width} px: what needs scrolling sideways`).toBeLessThanOrEqual(0);
          }
        });
      }
    }

    it('fits a screen of 320 px, which is 1280 px at 400 %', async () => {
      for (const path of PAGES) {
        const page = await rig.page(path, { viewport: { width: 320, height: 640 } });
        await settled(page);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(320);
      }
    });

    it('dialogs and the table are as usable', async () => {
      const page = await rig.page('history?last=24h');
      await settled(page);
      await page.getByRole('button', { name: 'As a table' }).click();
      await page.getByRole('button', { name: 'Settings' }).click();
      expect(await seriousIn(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await until(
        'the focus is back',
        async () => (await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) === 'Settings',
      );
    });

    it('is light or dark as the machine is, and as its reader wants, also after a reload', async () => {
      const background = async (page: Page) =>
        await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const page = await rig.page('', { colorScheme: 'dark' });
      await settled(page);
      const dark = await background(page);
      await page.emulateMedia({ colorScheme: 'light' });
      const light = await background(page);
      expect(dark).not.toBe(light);
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('radio', { name: 'Dark' }).check();
      expect(await background(page)).toBe(dark);
      await page.reload();
      await settled(page);
      expect(await background(page)).toBe(dark);
    });

    it.each([
      ['fr-BE', 'fr', 'Maintenant'],
      ['nl-BE', 'nl', 'Nu'],
      ['en-GB', 'en', 'Now'],
      ['de-AT', 'de', 'Jetzt'],
      ['it-IT', 'en', 'Now'],
    ])('a browser in %s gets its page in %s', async (locale, language, word) => {
      const page = await rig.page('', { locale });
      await page.getByRole('link', { name: word, exact: true }).waitFor();
      expect(await page.evaluate(() => document.documentElement.lang)).toBe(language);
    });

    it('a reader of German gets words, numbers and times in German on all pages, and they fit a phone', async () => {
      const reads: Readonly<Record<(typeof PAGES)[number], readonly (string | RegExp)[]>> = {
        '': ['Uhr nicht gestellt', 'im Wohlfühlbereich', /^\d+,\d\s°C$/],
        'history?last=24h': ['Messgröße', '24 Stunden', 'verworfen, weil das Gerät voll war'],
        'devices?uid=aht20-000002': ['Alle Geräte', 'Letzter Messwert', 'Abgewiesene Nachrichten', 'kein JSON'],
        wall: ['Wandanzeige verlassen', /letzte Nachricht (gerade eben|vor )/],
      };
      for (const path of PAGES) {
        const page = await rig.page(path, { viewport: { width: 360, height: 740 }, locale: 'de-DE' });
        await settled(page);
        for (const text of reads[path]) await page.getByText(text).first().waitFor({ state: 'attached' });
        expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(360);
        expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
      }
    });

    it('the language can be chosen, and stays', async () => {
      const page = await rig.page();
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByLabel('Language').selectOption('nl');
      await page.getByRole('link', { name: 'Verloop', exact: true }).waitFor();
      await page.reload();
      await page.getByRole('link', { name: 'Apparaten', exact: true }).waitFor();
    });

    it('every part of the page is reached with the keyboard, and shows where it is', async () => {
      const page = await rig.page();
      await settled(page);
      const seen = new Set<string>();
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press('Tab');
        const where = await page.evaluate(() => {
          const focused = document.activeElement;
          if (focused === null || focused === document.body) return '';
          const { outlineStyle, outlineWidth } = getComputedStyle(focused);
          return `${outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2}|${focused.getAttribute('aria-label') ?? focused.textContent}`;
        });
        if (where !== '') seen.add(where);
      }
      expect([...seen].filter((where) => where.startsWith('false'))).toEqual([]);
      for (const word of [
        'Skip to content',
        'History',
        'Devices',
        'Pause live values',
        'Settings',
        'History of Kitchen',
      ]) {
        expect(
          [...seen].some((where) => where.endsWith(`|${word}`)),
          word,
        ).toBe(true);
      }
    });

    it('moves to another page without loading it anew, and the back button goes back', async () => {
      const page = await rig.page();
      await settled(page);
      await page.evaluate(() => Object.assign(window, { isSame: true }));
      await page.getByRole('link', { name: 'History', exact: true }).click();
      await page.locator('.plot canvas').waitFor();
      await page.getByRole('link', { name: 'Devices', exact: true }).click();
      await page.getByRole('heading', { name: 'All devices' }).waitFor();
      await page.goBack();
      await page.locator('.plot canvas').waitFor();
      expect(await page.evaluate(() => 'isSame' in window)).toBe(true);
      expect(await page.title()).toBe('History · Rue des Lilas 4');
    });

    it('an empty house is told what to do', async () => {
      const page = await rig.page();
      await page.route('**/api/v1/devices', async (route) => await route.fulfill({ json: { data: [] } }));
      await page.evaluate(() => localStorage.clear());
      await page.reload();
      await page.getByText('No data yet').waitFor();
      expect(await seriousIn(page)).toEqual([]);
    });

    it('files of an older page that are gone give words, not a white page', async () => {
      const context = await rig.browser.newContext({ serviceWorkers: 'block' });
      const page = await context.newPage();
      await page.route('**/assets/app-*.js', async (route) => await route.fulfill({ status: 404, body: '' }));
      await page.goto(rig.url);
      await page.getByText('This page could not be loaded').waitFor();
      await page.unroute('**/assets/app-*.js');
      await page.route('**/assets/boot-*.js', async (route) => await route.fulfill({ status: 404, body: '' }));
      await page.goto(rig.url);
      await page.getByText('This page does not load. Is the server running?').waitFor();
    });

    it('a wall can’t look alive when it is not', async () => {
      const page = await rig.page('wall', { viewport: { width: 1920, height: 1080 } });
      await page.locator('[data-connection=live]').waitFor();
      await page.locator('.wall .plot canvas').waitFor();
      await rig.server.kill();
      await page.getByText(/NO CONNECTION since \d\d:\d\d/).waitFor();
      await rig.server.start();
      await page.locator('[data-connection=live]').waitFor();
    });
  },
);
