import { type Command, InvalidArgumentError, Option } from 'commander';

/** Which config a command works with. */
export interface ConfigOptions {
  readonly configPath: string;
  /** `section.key` -> text, stronger than file and environment. */
  readonly flags: Readonly<Record<string, string>>;
}

/** What `withConfigOptions` gives to an action. */
export interface GivenOptions {
  readonly config: string;
  readonly set: Readonly<Record<string, string>>;
}

/** Adds the two options that every command of our programs has. */
export function withConfigOptions(command: Command, defaultPath: string): Command {
  return command
    .option('-c, --config <file>', 'the config file', defaultPath)
    .addOption(
      new Option('--set <section.key=value>', 'override a key of the config; may be repeated')
        .default({}, 'none')
        .argParser(collectAssignment),
    );
}

export function configOptions({ config, set }: GivenOptions): ConfigOptions {
  return { configPath: config, flags: set };
}

function collectAssignment(text: string, earlier: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(0, equals)).trim();
  if (!/^\w+\.\w+$/.test(key))
    throw new InvalidArgumentError('expected section.key=value, such as mqtt.broker_port=1883.');
  return { ...earlier, [key]: text.slice(equals + 1).trim() };
}
