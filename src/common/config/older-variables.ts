/** Environment variables of an older version, by name: still understood, weaker than our own and stronger than the file. */
export type OlderVariables = Readonly<Record<string, OlderVariable>>;

/** Says what a variable means today. Pure. An empty variable counts as absent and is never given to it. */
export type OlderVariable = (text: string) => OlderMeaning;

export interface OlderMeaning {
  /** `section.key` -> text. */
  readonly sets?: Readonly<Record<string, string>>;
  /** Why it cannot be used; must not repeat a secret. */
  readonly error?: string;
  /** What its owner should know; must not repeat a secret. */
  readonly warning?: string;
}
