import { resolve } from 'node:path';
import { test } from 'vitest';
import { runUnderEmulator } from '../support/emulator-child.ts';
import { median } from './process-figures.ts';
import { ratio, row } from './report.ts';
import { Rig } from './rig.ts';

const READINGS = 60;
/** The datasheet's conversion time, ms. */
const CONVERSION_MS = 80;
const MEASURE = resolve(import.meta.dirname, 'children/measure.ts');

test('how much longer a measurement takes than the chip itself needs', async () => {
  const rig = await Rig.open({ settings: { conversionMs: CONVERSION_MS } });
  const { stdout } = await runUnderEmulator(rig.emulator, MEASURE, { args: [String(READINGS)] });
  const total = median(JSON.parse(stdout) as number[]);
  row(
    'one reading, from trigger to value',
    `${total.toFixed(1)} ms`,
    `chip's own ${CONVERSION_MS} ms`,
    ratio(total, CONVERSION_MS),
    '1.10',
  );
  await rig.close();
});
