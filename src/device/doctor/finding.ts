import { FINDINGS, type FindingId } from './findings/catalogue.ts';
import type { Verdict } from './verdict.ts';

/** What an examination found, in words for the person who typed `check`. */
export interface Finding {
  readonly id: FindingId;
  readonly verdict: Verdict;
  readonly found: string;
  readonly cause?: string;
  /** Steps in order; those that start with `$ ` are command lines for a Pi, exact as they stand. */
  readonly remedy?: readonly string[];
}

type Placeholder<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;
type Texts<Entry> =
  | (Entry extends { readonly found: infer Found extends string } ? Found : never)
  | (Entry extends { readonly cause: infer Cause extends string } ? Cause : never)
  | (Entry extends { readonly remedy: readonly (infer Step extends string)[] } ? Step : never);

/** What the texts of a finding want to know: one fact for each `{placeholder}` in them. */
type Facts<Id extends FindingId> = Readonly<Record<Placeholder<Texts<(typeof FINDINGS)[Id]>>, string | number>>;
type FactArguments<Id extends FindingId> = keyof Facts<Id> extends never ? [] : [facts: Facts<Id>];

/** Makes the finding of that id, its placeholders filled. A fact that is missing is an error of the compiler. */
export function report<Id extends FindingId>(id: Id, ...[facts]: FactArguments<Id>): Finding {
  const { verdict, found, cause, remedy }: FindingTexts = FINDINGS[id];
  const filled = (text: string): string => fill(text, facts ?? {});
  return {
    id,
    verdict,
    found: filled(found),
    ...(cause !== undefined && { cause: filled(cause) }),
    ...(remedy !== undefined && { remedy: remedy.map(filled) }),
  };
}

interface FindingTexts {
  readonly verdict: Verdict;
  readonly found: string;
  readonly cause?: string;
  readonly remedy?: readonly string[];
}

function fill(text: string, facts: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(facts[name] ?? whole));
}
