import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { calmValues, DashboardRig, dashboardRigMissing, HOUR_MS, MINUTE_MS } from './support/dashboard-rig.ts';

const BEDROOM = 'aht20-d4e5f6';
const OFFICE = 'aht20-facade';
const LONE = 'aht20-000001';
const NOW = Date.now();
const GAP = { fromMs: NOW - 9 * HOUR_MS, toMs: NOW - 7 * HOUR_MS };

/** Coloured pixels of a stretch of the plot: not those of its grid, which are grey. */
async function colouredPixels(page: Page, fromMs: number, toMs: number): Promise<number> {
  return await page.evaluate(
    ([from, to]) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas');
      const over = document.querySelector<HTMLElement>('.plot .u-over');
      const ctx = canvas?.getContext('2d');
      if (canvas === null || over === null || !ctx) return -1;
      const ratio = canvas.width / canvas.getBoundingClientRect().width;
      const search = new URLSearchParams(location.search);
      const [start, end] = ['from', 'to'].map((name) => Date.parse(search.get(name) ?? '')) as [number, number];
      const left = over.getBoundingClientRect().left - canvas.getBoundingClientRect().left;
      const x = (ms: number): number => (left + ((ms - start) / (end - start)) * over.clientWidth) * ratio;
      const { data } = ctx.getImageData(x(from), 0, Math.max(1, x(to) - x(from)), (over.clientHeight + 10) * ratio);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) {
        const [r = 0, g = 0, b = 0, a = 0] = data.slice(i, i + 4);
        if (a > 0 && Math.max(r, g, b) - Math.min(r, g, b) > 40) found += 1;
      }
      return found;
    },
    [fromMs, toMs] as const,
  );
}

const fixed = (fromMs: number, toMs: number): string =>
  `from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`;
const drawn = async (page: Page): Promise<void> => {
  await page.locator('.plot canvas').waitFor();
  await page.locator('.plot:not(.busy)').waitFor();
};

describe.skipIf(dashboardRigMissing !== undefined)(
  `the dashboard, history${dashboardRigMissing ? ` (skipped: ${dashboardRigMissing})` : ''}`,
  () => {
    let rig: DashboardRig;

    beforeAll(async () => {
      rig = await DashboardRig.open();
      for (const [uid, room, celsius] of [
        [BEDROOM, 'Bedroom', 18],
        [OFFICE, 'Office', 22],
      ] as const) {
        await rig.status(uid, { room });
        const values = calmValues(48, NOW, celsius);
        await rig.backlog(uid, uid === OFFICE ? values : values.filter(({ ts }) => ts < GAP.fromMs || ts > GAP.toMs));
      }
      await rig.gap(BEDROOM, GAP.fromMs, GAP.toMs, 'lost-in-memory');
      await rig.status(LONE, { room: 'Lone' });
      await rig.backlog(LONE, [
        { ts: NOW - 20 * HOUR_MS, celsius: 20 },
        { ts: NOW - 10 * HOUR_MS, celsius: 21 },
        { ts: NOW - HOUR_MS, celsius: 20 },
      ]);
    });
    afterEach(async () => {
      for (const context of rig.browser.contexts()) await context.close();
      expect(rig.wrongs).toEqual([]);
    });
    afterAll(async () => await rig.close());

    it('a gap is drawn as a gap, and the record that explains it says why', async () => {
      const page = await rig.page(`history?show=room:bedroom&show=room:office&${fixed(NOW - 12 * HOUR_MS, NOW)}`);
      await drawn(page);
      await page.getByText('lost in memory when the device stopped').first().waitFor();
      // Of the other room, and on its own: the line of the first has no pixel there.
      await page.getByLabel('Office').uncheck();
      await drawn(page);
      await until(
        'the other room is gone',
        async () => (await colouredPixels(page, GAP.fromMs + 10 * MINUTE_MS, GAP.toMs - 10 * MINUTE_MS)) === 0,
      );
      expect(await colouredPixels(page, NOW - 5 * HOUR_MS, NOW - 4 * HOUR_MS)).toBeGreaterThan(20);
    });

    it('a lone reading between two gaps is seen', async () => {
      const page = await rig.page(`history?show=room:lone&${fixed(NOW - 24 * HOUR_MS, NOW)}`);
      await drawn(page);
      expect(await colouredPixels(page, NOW - 10.5 * HOUR_MS, NOW - 9.5 * HOUR_MS)).toBeGreaterThan(5);
      expect(await colouredPixels(page, NOW - 18 * HOUR_MS, NOW - 12 * HOUR_MS)).toBe(0);
    });

    it('zooming changes the resolution that is asked for, and the address holds the view', async () => {
      const buckets: (string | null)[] = [];
      const page = await rig.page('history?show=room:office&last=1y');
      page.on('request', (request) => {
        const url = new URL(request.url());
        if (url.pathname.endsWith('/series')) buckets.push(url.searchParams.get('bucket'));
      });
      await drawn(page);
      await page.getByRole('radio', { name: '7 days' }).check();
      await until('seven days are asked for', () => buckets.includes('5m'));
      await page.getByRole('radio', { name: '1 hour' }).check();
      await until('an hour is asked for', () => buckets.includes('raw'));
      await page.getByText('each point is a reading').waitFor();
      expect(new URL(page.url()).search).toBe('?show=room:office&last=1h');
      await page.getByRole('button', { name: 'Zoom out' }).click();
      await until('the address has moved on', () => page.url().includes('from='));
      const { search } = new URL(page.url());
      const again = await rig.page(`history${search}`);
      await drawn(again);
      expect(new URL(again.url()).search).toBe(search);
      expect(await again.locator('.range-words').innerText()).toBe(await page.locator('.range-words').innerText());
    });

    it('the mouse selects a stretch, and Shift moves it', async () => {
      const page = await rig.page(`history?show=room:office&${fixed(NOW - 20 * HOUR_MS, NOW - 10 * HOUR_MS)}`);
      await drawn(page);
      const box = (await page.locator('.plot .u-over').boundingBox())!;
      const at = (share: number) => [box.x + share * box.width, box.y + box.height / 2] as const;
      await page.mouse.move(...at(0.25));
      await page.mouse.down();
      await page.mouse.move(...at(0.75), { steps: 5 });
      await page.mouse.up();
      await until(
        'zoomed',
        () => new URL(page.url()).searchParams.get('from') !== new Date(NOW - 20 * HOUR_MS).toISOString(),
      );
      const zoomed = new URL(page.url()).searchParams;
      const [from, to] = [Date.parse(zoomed.get('from')!), Date.parse(zoomed.get('to')!)];
      expect((from - (NOW - 17.5 * HOUR_MS)) / HOUR_MS).toBeCloseTo(0, 0);
      expect((to - from) / HOUR_MS).toBeCloseTo(5, 0);
      await page.keyboard.down('Shift');
      await page.mouse.move(...at(0.5));
      await page.mouse.down();
      await page.mouse.move(...at(0.75), { steps: 5 });
      await page.mouse.up();
      await page.keyboard.up('Shift');
      await until('moved', () => Date.parse(new URL(page.url()).searchParams.get('from')!) < from);
      const moved = new URL(page.url()).searchParams;
      expect((Date.parse(moved.get('to')!) - Date.parse(moved.get('from')!)) / HOUR_MS).toBeCloseTo(
        (to - from) / HOUR_MS,
        3,
      );
    });

    it('a finger moves the time axis, two zoom, and neither keeps the page from scrolling', async () => {
      const page = await rig.page(`history?show=room:office&${fixed(NOW - 20 * HOUR_MS, NOW - 10 * HOUR_MS)}`, {
        hasTouch: true,
        viewport: { width: 390, height: 844 },
      });
      await drawn(page);
      await page.locator('.plot').scrollIntoViewIfNeeded();
      const box = (await page.locator('.plot .u-over').boundingBox())!;
      const y = box.y + Math.min(60, box.height / 2);
      const touch = await page.context().newCDPSession(page);
      const send = async (type: 'touchStart' | 'touchMove' | 'touchEnd', shares: readonly number[]) =>
        await touch.send('Input.dispatchTouchEvent', {
          type,
          touchPoints: shares.map((share, id) => ({ x: box.x + share * box.width, y, id })),
        });
      const range = () => {
        const { searchParams } = new URL(page.url());
        return [Date.parse(searchParams.get('from')!), Date.parse(searchParams.get('to')!)] as const;
      };
      await send('touchStart', [0.3]);
      for (const share of [0.35, 0.45, 0.6]) await send('touchMove', [share]);
      await send('touchEnd', []);
      await until('moved', () => range()[0] < NOW - 22 * HOUR_MS);
      const [from, to] = range();
      expect((to - from) / HOUR_MS).toBeCloseTo(10, 2);
      await send('touchStart', [0.4, 0.6]);
      for (const spread of [0.25, 0.3, 0.4]) await send('touchMove', [0.5 - spread, 0.5 + spread]);
      await send('touchEnd', []);
      await until('zoomed', () => range()[1] - range()[0] < 4 * HOUR_MS);
      expect(await page.locator('.plot .u-over').evaluate((over) => getComputedStyle(over).touchAction)).toBe('pan-y');
    });

    it('with the keyboard alone: to the chart, along it, closer, and back', async () => {
      const page = await rig.page('history?show=room:bedroom&last=24h');
      await drawn(page);
      const slider = page.getByRole('slider', { name: 'Time in the chart' });
      for (let presses = 0; !(await slider.evaluate((one) => one === document.activeElement)); presses += 1) {
        expect(presses).toBeLessThan(40);
        await page.keyboard.press('Tab');
      }
      const before = await slider.getAttribute('aria-valuetext');
      expect(before).toMatch(/Bedroom 1\d\.\d\u00a0°C/);
      await page.keyboard.press('ArrowLeft');
      expect(await slider.getAttribute('aria-valuetext')).not.toBe(before);
      await page.keyboard.press('+');
      await until('zoomed', () => page.url().includes('from='));
      await page.keyboard.press('Shift+ArrowLeft');
      await page.keyboard.press('Escape');
      await until('back', () => page.url().includes('last=24h'));
      expect(await slider.evaluate((one) => one === document.activeElement)).toBe(true);
    });

    it('the cursor says why there is nothing', async () => {
      const page = await rig.page(`history?show=room:bedroom&show=room:office&${fixed(GAP.fromMs, GAP.toMs)}`);
      await drawn(page);
      const slider = page.getByRole('slider', { name: 'Time in the chart' });
      await slider.focus();
      await slider.evaluate((input: HTMLInputElement) => {
        input.value = String(Math.round(Number(input.max) / 2));
        input.dispatchEvent(new Event('input', { bubbles: true }));
      });
      await until(
        'it is said',
        async () =>
          (await slider.getAttribute('aria-valuetext'))?.includes(
            'Bedroom no reading: lost in memory when the device stopped',
          ) === true,
      );
      expect(await slider.getAttribute('aria-valuetext')).toMatch(/Office 2\d\.\d/);
    });

    it('what is shown goes out as CSV and as a picture, and as a table', async () => {
      const page = await rig.page(`history?show=room:office&${fixed(NOW - 5 * HOUR_MS, NOW - 4 * HOUR_MS)}`, {
        acceptDownloads: true,
      });
      await drawn(page);
      const download = async (name: string) => {
        const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
        return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
      };
      const csv = await download('CSV');
      expect(csv.name).toMatch(/^techtemp-temperature-.*\.csv$/);
      const rows = csv.bytes.toString('utf8').trim().split('\r\n');
      expect(rows[0]).toContain('Office mean (°C)');
      expect(rows).toHaveLength(61);
      const png = await download('Picture');
      expect(png.bytes.subarray(1, 4).toString()).toBe('PNG');
      await page.getByRole('button', { name: 'As a table' }).click();
      expect(await page.locator('tbody tr').count()).toBe(50);
      await page.getByRole('button', { name: 'Older' }).click();
      expect(await page.locator('tbody tr').count()).toBe(10);
    });

    it('says whose clock it is where the viewer’s is another one', async () => {
      const page = await rig.page('history?show=room:office&last=24h', { timezoneId: 'America/St_Johns' });
      await drawn(page);
      await page.getByText('times of the house (Europe/Brussels), not of this device (America/St_Johns)').waitFor();
    });
  },
);
