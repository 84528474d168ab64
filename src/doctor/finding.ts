/** `warn`: the program works, but something deserves a look. `skipped`: could not be examined, and why is said. */
export type Verdict = 'ok' | 'warn' | 'fail' | 'skipped';

/** What an examination found, in words for the person who typed `check`. */
export interface Finding {
  readonly id: string;
  readonly verdict: Verdict;
  readonly found: string;
  readonly cause?: string;
  /** Steps in order; those that start with `$ ` are command lines, exact as they stand. */
  readonly remedy?: readonly string[];
}

/**
 * Findings by id, with their verdict and their words. `{name}` is a fact that the examination fills in; steps of a remedy that
 * start with `$ ` are command lines. The FINDINGS.md of each program is its catalogue for people; tests keep them equal.
 */
export type FindingCatalogue = Readonly<
  Record<
    string,
    {
      readonly verdict: Verdict;
      readonly found: string;
      readonly cause?: string;
      readonly remedy?: readonly string[];
    }
  >
>;

type Placeholder<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;
type Texts<Entry> =
  | (Entry extends { readonly found: infer Found extends string } ? Found : never)
  | (Entry extends { readonly cause: infer Cause extends string } ? Cause : never)
  | (Entry extends { readonly remedy: readonly (infer Step extends string)[] } ? Step : never);

/** What the texts of a finding want to know: one fact for each `{placeholder}` in them. */
type Facts<Entry> = Readonly<Record<Placeholder<Texts<Entry>>, string | number>>;
type FactArguments<Entry> = keyof Facts<Entry> extends never ? [] : [facts: Facts<Entry>];

/** Makes the finding of that id, its placeholders filled. A fact that is missing is an error of the compiler. */
type Report<Catalogue extends FindingCatalogue> = <Id extends keyof Catalogue & string>(
  id: Id,
  ...facts: FactArguments<Catalogue[Id]>
) => Finding;

/** The function that reports findings of a catalogue. */
export function reporterOf<const Catalogue extends FindingCatalogue>(catalogue: Catalogue): Report<Catalogue> {
  return (id, ...[facts]) => {
    const entry: FindingCatalogue[string] | undefined = catalogue[id];
    if (entry === undefined) throw new TypeError(`no finding has the id ${id}`);
    const { verdict, found, cause, remedy } = entry;
    const filled = (text: string): string => fill(text, facts ?? {});
    return {
      id,
      verdict,
      found: filled(found),
      ...(cause !== undefined && { cause: filled(cause) }),
      ...(remedy !== undefined && { remedy: remedy.map(filled) }),
    };
  };
}

function fill(text: string, facts: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(facts[name] ?? whole));
}
