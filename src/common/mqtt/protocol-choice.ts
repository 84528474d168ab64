import type { LinkError } from './link-error.ts';

/** `protocol` of an `[mqtt]` section. */
export type ProtocolSetting = 'auto' | '5' | '3.1.1';

/**
 * MQTT 5 first, 3.1.1 where the broker wants it. Brokers that know only 3.1.1 say so in CONNACK or just hang up; so a hang-up
 * before CONNACK under one version is a reason to try the other. What worked last is tried first while the process lives.
 */
export class ProtocolChoice {
  #auto: 4 | 5 = 5;

  next(setting: ProtocolSetting): 4 | 5 {
    if (setting === 'auto') return this.#auto;
    return setting === '5' ? 5 : 4;
  }

  /** Another broker, perhaps. */
  reset(): void {
    this.#auto = 5;
  }

  /** An attempt has failed. @returns whether the other version is worth an attempt at once */
  failed(setting: ProtocolSetting, error: LinkError): boolean {
    if (setting !== 'auto') return false;
    if (error.code !== 'LINK_PROTOCOL_VERSION' && error.code !== 'LINK_CLOSED_EARLY') return false;
    this.#auto = this.#auto === 5 ? 4 : 5;
    // Only from 5 to 4: a broker that refuses both must not be asked without a pause.
    return this.#auto === 4;
  }
}
