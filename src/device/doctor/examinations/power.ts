import type { Examination } from '../../../common/doctor/examination.ts';
import type { Machine } from '../../../common/doctor/machine.ts';
import { report } from '../finding.ts';

/** Bits of `vcgencmd get_throttled` (Raspberry Pi documentation, "vcgencmd"). */
const UNDER_VOLTAGE_NOW = 1 << 0;
const UNDER_VOLTAGE_SINCE_BOOT = 1 << 16;

/** A weak supply is behind many a bus error and many a damaged SD card, and only the Pi's firmware knows. */
export function powerExamination({ runProgram }: Pick<Machine, 'runProgram'>): Examination {
  return {
    id: 'power',
    title: 'Power supply',
    run: async () => {
      const answer = await runProgram('vcgencmd', ['get_throttled']);
      if (answer.state === 'missing') return [report('power.no-pi')];
      if (answer.state === 'silent') return [report('power.unknown', { problem: answer.problem })];
      const flags = /^throttled=(0x[0-9a-f]+)/i.exec(answer.output)?.[1];
      if (flags === undefined) {
        const [said = 'nothing'] = `${answer.output}${answer.errors}`.trim().split('\n');
        return [report('power.unknown', { problem: `vcgencmd says: ${said === '' ? 'nothing' : said}` })];
      }
      const bits = Number(flags);
      if ((bits & UNDER_VOLTAGE_NOW) !== 0) return [report('power.low-now', { flags })];
      if ((bits & UNDER_VOLTAGE_SINCE_BOOT) !== 0) return [report('power.low-before', { flags })];
      return [report('power.ok')];
    },
  };
}
