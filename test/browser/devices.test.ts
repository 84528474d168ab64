import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { calmValues, DashboardRig, dashboardRigMissing } from './support/dashboard-rig.ts';

const PROGRAM = resolve(import.meta.dirname, '../../dist/techtemp-server.js');
const BOX = 'aht20-b0b0b0';
const STRANGER = 'aht20-57a49e';
const NOW = Date.now();

interface DeviceAnswer {
  readonly uid: string;
  readonly state: string;
  readonly label: string | null;
  readonly room: { readonly name: string } | null;
}

const device = (page: Page, uid: string) => page.locator(`.device[data-device="${uid}"]`);

describe.skipIf(dashboardRigMissing !== undefined)(
  `the dashboard, devices${dashboardRigMissing ? ` (skipped: ${dashboardRigMissing})` : ''}`,
  () => {
    let rig: DashboardRig;
    const asked = async (uid: string): Promise<DeviceAnswer> =>
      await rig.server.data<DeviceAnswer>(`/api/v1/devices/${uid}`);

    const held = async (): Promise<{ readonly waiting: number }> =>
      await rig.server.data<{ readonly waiting: number }>('/api/v1/quarantine/summary');

    beforeAll(async () => {
      rig = await DashboardRig.open({ ingest: ['registration = approve'] });
      for (const uid of [BOX, STRANGER]) {
        await rig.status(uid, { room: 'Hall', delivery: 'receipt' });
        await rig.backlog(uid, calmValues(5, NOW, 19));
      }
      await fetch(`${rig.url}api/v1/devices/${BOX}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ state: 'active', room_name: 'Hall' }),
      });
    });
    afterEach(async () => {
      for (const context of rig.browser.contexts()) await context.close();
      expect(rig.wrongs).toEqual([]);
    });
    afterAll(async () => await rig.close());

    it('a new device waits for approval, is seen on the first page, and is approved', async () => {
      const page = await rig.page();
      await page.getByRole('link', { name: 'A new device is waiting for your approval.' }).click();
      await page.locator(`[data-pending="${STRANGER}"]`).getByRole('button', { name: 'Approve' }).click();
      await until('it is approved', async () => (await asked(STRANGER)).state === 'active');
      await device(page, STRANGER).waitFor();
      await page.locator(`[data-pending="${STRANGER}"]`).waitFor({ state: 'detached' });
    });

    it('says how it is doing, in full', async () => {
      const page = await rig.page(`devices?uid=${BOX}`);
      await device(page, BOX).getByText('confirmed by the server').waitFor();
      await device(page, BOX).getByText('1 minute', { exact: true }).waitFor();
    });

    it('is named, and moves to a new room on a date: what was measured since counts for that room', async () => {
      const page = await rig.page(`devices?uid=${BOX}`);
      await device(page, BOX).getByRole('button', { name: 'Name and room' }).click();
      await page.getByLabel('Name', { exact: true }).fill('Shelf');
      await page.locator('select[name=room]').selectOption({ label: 'a new room…' });
      await page.getByLabel('Name of the new room').fill('Pantry');
      const movedAt = NOW - 2 * 3_600_000;
      const local = new Intl.DateTimeFormat('sv-SE', {
        timeZone: 'Europe/Brussels',
        dateStyle: 'short',
        timeStyle: 'short',
      });
      await page.getByLabel('In this room since').fill(local.format(movedAt).replace(' ', 'T'));
      await page.getByRole('button', { name: 'Save' }).click();
      await until('it is saved', async () => (await asked(BOX)).room?.name === 'Pantry');
      expect((await asked(BOX)).label).toBe('Shelf');
      await device(page, BOX).getByText('Pantry · Shelf').waitFor();
      const rooms = await rig.server.data<readonly { readonly room_id: string; readonly ts: string }[]>(
        `/api/v1/readings?device=${BOX}&from=${new Date(NOW - 86_400_000).toISOString()}&limit=1000`,
      );
      const since = new Set(rooms.filter(({ ts }) => Date.parse(ts) > movedAt).map(({ room_id }) => room_id));
      const before = new Set(rooms.filter(({ ts }) => Date.parse(ts) < movedAt - 60_000).map(({ room_id }) => room_id));
      expect([[...since], [...before]]).toEqual([['pantry'], ['hall']]);
    });

    it('a wrong answer is told where it was asked for, and the dialog stays', async () => {
      const page = await rig.page(`devices?uid=${BOX}`);
      await page.route('**/api/v1/devices/*', async (route) =>
        route.request().method() === 'PUT'
          ? await route.fulfill({ status: 503, json: { error: 'the disk is full', code: 'STORE_FULL' } })
          : await route.continue(),
      );
      await device(page, BOX).getByRole('button', { name: 'Name and room' }).click();
      await page.getByLabel('Name', { exact: true }).fill('Other');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('alert').getByText('the disk is full').waitFor();
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
      await until(
        'the focus is back',
        async () => (await page.evaluate(() => document.activeElement?.textContent)) === 'Name and room',
      );
    });

    it('what was rejected is listed with its reason', async () => {
      await rig.raw(`home/lilas/sensors/${BOX}/reading`, '{"temperature_c":"warm"}');
      await until(
        'it is stored',
        async () => (await rig.server.data<readonly unknown[]>('/api/v1/rejected')).length > 0,
      );
      const page = await rig.page('devices');
      await page.locator('.rejected-list summary').first().click();
      await page.getByText('{"temperature_c":"warm"}').waitFor();
    });

    it('readings on hold are shown with the reason, and are stored when a person releases them', async () => {
      const aheadMs = NOW + 3 * 86_400_000;
      await rig.reading(BOX, { ts: aheadMs, celsius: 21.5 });
      await until('it waits', async () => (await held()).waiting === 1);
      const page = await rig.page('devices');
      const section = page.locator('[data-quarantine="1"]');
      await section.getByRole('heading', { name: 'Readings on hold' }).waitFor();
      await section.getByText('1 reading is on hold because of its time.').waitFor();
      await section
        .locator('li')
        .getByText(/1 reading/)
        .waitFor();
      await section.getByRole('button', { name: 'Release' }).click();
      await section.waitFor({ state: 'detached' });
      expect(await held()).toMatchObject({ waiting: 0 });
      const range = `from=${new Date(aheadMs - 60_000).toISOString()}&to=${new Date(aheadMs + 60_000).toISOString()}`;
      expect(await rig.server.data(`/api/v1/readings?device=${BOX}&${range}`)).toMatchObject([{ temperature: 21.5 }]);
    });

    it('the section of readings on hold is not there while none waits', async () => {
      const page = await rig.page('devices');
      await page.getByRole('heading', { name: 'Rejected messages' }).waitFor();
      await device(page, BOX).waitFor();
      expect(await page.getByRole('heading', { name: 'Readings on hold' }).count()).toBe(0);
    });

    it('is removed, with its readings kept', async () => {
      const page = await rig.page(`devices?uid=${STRANGER}`);
      await device(page, STRANGER).getByRole('button', { name: 'Remove' }).click();
      await page.locator('dialog').getByRole('button', { name: 'Remove' }).click();
      await device(page, STRANGER).waitFor({ state: 'detached' });
      expect((await rig.server.get(`/api/v1/devices/${STRANGER}`)).status).toBe(404);
    });

    it('asks for a token once, when the server says that it needs one', async () => {
      const guarded = await DashboardRig.open({ http: ['writing = token', 'reading = token'] });
      try {
        const secret = makeToken(guarded);
        const page = await guarded.page();
        const dialog = page.locator('dialog');
        await dialog.getByLabel('Token').fill('wrong');
        await dialog.getByRole('button', { name: 'Use token' }).click();
        await dialog.getByText('The server does not accept this token.').waitFor();
        await dialog.getByLabel('Token').fill(secret);
        await dialog.getByRole('button', { name: 'Use token' }).click();
        await page.locator('[data-connection=live]').waitFor();
        await page.getByText('No data yet').waitFor();
        await page.reload();
        await page.locator('[data-connection=live]').waitFor();
        expect(await dialog.count()).toBe(0);
        expect(guarded.wrongs).toEqual([]);
      } finally {
        await guarded.close();
      }
    });
  },
);

/** As whoever runs the server makes one. */
function makeToken({ server }: DashboardRig): string {
  const answer = execFileSync(
    process.execPath,
    [PROGRAM, 'token', 'create', '--config', server.configPath, '--scope', 'write', 'phone'],
    { env: { ...process.env, STATE_DIRECTORY: server.folder }, encoding: 'utf8' },
  );
  const [secret] = /ttk_[A-Za-z0-9_-]{43}/.exec(answer) ?? [];
  if (secret === undefined) throw new Error(`no token in: ${answer}`);
  return secret;
}
