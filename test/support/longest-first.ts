import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { LONGEST_FIRST } from '../lanes.ts';

/** Begins with the files that take longest; the others come in Vitest's own order. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST_FIRST.findIndex((name) => moduleId.endsWith(name));
      return place === -1 ? LONGEST_FIRST.length : place;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
