import type { Pulse } from '../../common/pulse.ts';
import type { LinkMessage, LinkSession, Taken } from '../mqtt/link-session.ts';
import { publishPacketSize } from '../mqtt/packet-size.ts';
import type { SendWindow, Urgency } from './send-window.ts';

/** The link limits a publish by this; a place in the window is free after as long at the latest. */
export const PUBLISH_TIMEOUT_MS = 30_000;
/** After this much more something hangs that is not the broker. */
const SLACK_MS = 30_000;

/** A place in the window, for one message. */
export interface Place {
  /** Resolves at PUBACK and gives the place back in any case. @throws LinkError */
  send(message: LinkMessage): Promise<Taken>;
  /** Gives the place back unused. */
  giveBack(): void;
}

/** The session and its window: the only way by which the lanes publish. */
export class Post {
  readonly session: LinkSession;
  readonly #window: SendWindow;
  readonly #pulse: Pulse;

  constructor(session: LinkSession, window: SendWindow, pulse: Pulse) {
    this.session = session;
    this.#window = window;
    this.#pulse = pulse;
  }

  async place(urgency: Urgency, signal: AbortSignal): Promise<Place> {
    const leave = await this.#pulse.during(PUBLISH_TIMEOUT_MS + SLACK_MS, this.#window.enter(urgency, signal));
    return {
      giveBack: leave,
      send: async (message) => {
        try {
          return await this.#pulse.during(PUBLISH_TIMEOUT_MS + SLACK_MS, this.session.publish(message));
        } finally {
          leave();
        }
      },
    };
  }

  /** Waits for a place and sends. @throws LinkError, or the signal's reason */
  async send(urgency: Urgency, message: LinkMessage, signal: AbortSignal): Promise<Taken> {
    const place = await this.place(urgency, signal);
    return await place.send(message);
  }

  fits({ topic, payload }: LinkMessage): boolean {
    const { protocolVersion, maximumPacketSize } = this.session;
    return publishPacketSize(topic, Buffer.byteLength(payload), protocolVersion) <= maximumPacketSize;
  }
}
