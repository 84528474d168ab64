/** Where a value of the configuration was written. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; readonly line?: number }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

/** One thing that is wrong with a configuration (an error) or that its owner should know (a warning). */
export interface ConfigProblem {
  readonly origin: Origin;
  /** `section.key` or `[section]`; absent when the file as a whole is meant. */
  readonly key?: string;
  /** What was written there; never a secret. */
  readonly found?: string;
  /** What is wrong and what would be right, for a person. */
  readonly complaint: string;
  /** The name that was probably meant. */
  readonly nearest?: string;
}

/** INVALID: what is written cannot be used. UNREADABLE: there is nothing to read, or we may not. */
export type ConfigErrorCode = 'CONFIG_INVALID' | 'CONFIG_UNREADABLE';

/** A configuration that cannot be used, with everything that is wrong with it. Only a person can cure it: do not retry. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  readonly problems: readonly ConfigProblem[];

  constructor(code: ConfigErrorCode, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problemsInWords(problems), options);
    this.code = code;
    this.problems = problems;
  }
}

/** More lines than this hide the first one, which is usually the cause (a binary file has an error on every line). */
const MAX_LINES_SHOWN = 20;
const MAX_FOUND_LENGTH = 60;

/** One line: `/etc/techtemp/device.conf:12: mqtt.broker_port = "abc": must be a whole number from 1 to 65535` */
export function describeProblem(problem: ConfigProblem): string {
  const { key, found, complaint, nearest } = problem;
  const subject = key === undefined ? '' : `${short(key)}${found === undefined ? '' : ` = ${shown(found)}`}: `;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `${describeOrigin(problem.origin)}: ${subject}${complaint}${hint}`;
}

/** `device.conf:12`, `environment variable TECHTEMP_MQTT_TLS`, `--set mqtt.tls`, `default` */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
    case 'environment':
      return `environment variable ${origin.variable}`;
    case 'flag':
      return `--set ${origin.flag}`;
  }
}

function problemsInWords(problems: readonly ConfigProblem[]): string {
  const [first] = problems;
  if (problems.length === 1 && first !== undefined) return describeProblem(first);
  const lines = problems.slice(0, MAX_LINES_SHOWN).map((problem) => `  ${describeProblem(problem)}`);
  const rest = problems.length - lines.length;
  return [
    `the configuration has ${problems.length} problems:`,
    ...lines,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ].join('\n');
}

/** Quoted, on one line, and short. */
function shown(text: string): string {
  return JSON.stringify(short(text));
}

function short(text: string): string {
  return text.length > MAX_FOUND_LENGTH ? `${text.slice(0, MAX_FOUND_LENGTH)}…` : text;
}
