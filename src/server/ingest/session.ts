import { type Announcement, encodeAnnouncement } from '../../contract/messages.ts';
import { sensorTopic, serverTopic } from '../../contract/topics.ts';
import { LinkError, linkError } from '../../mqtt/errors.ts';
import { OptionalSteps } from '../../mqtt/optional-steps.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { withDeadline } from '../../platform/tasks.ts';
import type { MqttSection } from '../config.ts';
import type { MqttConnection, OutgoingMessage } from '../mqtt/connection.ts';
import { INGEST_LEAVES } from './decode-message.ts';
import { DROPS_TOPIC } from './limits.ts';
import type { ReceiptSender } from './receipts.ts';

export interface ConversationParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly mqtt: Live<MqttSection>;
  readonly receipts: ReceiptSender;
  readonly optional: IngestSteps;
  readonly record: string | undefined;
}

/** At a stop: for the last receipts and our own last word. */
const LAST_WORDS_MS = 3_000;
const GOODBYE_MS = 2_000;
/** A broker that forgets us sooner does not keep what comes while the server is being repaired. */
const SHORT_SESSION_SECONDS = 86_400;

/** What is said on one connection besides acknowledgements: subscriptions, the announcement, receipts, goodbye. */
export class IngestSession {
  readonly #parts: ConversationParts;
  /** Homes whose messages came although the config names another; asked once a connection. */
  #strangers = new Set<string>();

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with why the connection broke; or, when the signal is aborted, after goodbye has been said, with undefined. `drained`
   * is asked then for what the goodbye has to wait for.
   */
  async hold(
    connection: MqttConnection,
    opened: MqttSection,
    drained: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<LinkError | undefined> {
    this.#strangers = new Set();
    this.#parts.optional.begin(signal);
    this.#lookAtSession(connection, opened);
    this.#parts.receipts.use(connection);
    const over = this.#begin(connection, opened).then(
      async () => await connection.closed,
      (error: unknown) => {
        if (error instanceof LinkError) return error;
        throw error;
      },
    );
    const broken = await untilAborted(over, signal);
    if (broken !== undefined) this.#parts.optional.ended(broken);
    if (broken === undefined) await this.#goodbye(connection, opened, drained);
    return broken;
  }

  /** A persistent session still listens to what an earlier configuration asked for. It is stored, and comes no more. */
  heardFrom(homeId: string, connection: MqttConnection): void {
    const wanted = this.#parts.mqtt.current.homeId;
    if (wanted === '+' || wanted === homeId || this.#strangers.has(homeId)) return;
    this.#strangers.add(homeId);
    // Where the connection breaks meanwhile, the next one asks again.
    connection.unsubscribe([...filtersOf(homeId), ...filtersOf('+')]).catch(() => undefined);
  }

  async #begin(connection: MqttConnection, opened: MqttSection): Promise<void> {
    // Again on each connection, also where the session was kept: it costs one packet, and brings the retained statuses.
    const filters = filtersOf(opened.homeId);
    const refused = await connection.subscribe(filters.map((filter) => ({ filter, qos: 1 })));
    if (refused.length > 0) {
      const peer = { host: opened.brokerHost, port: opened.brokerPort };
      const what = `the broker refuses the subscription to ${refused.join(', ')}; check its access rules (ACL)`;
      throw linkError('LINK_SUBSCRIBE_REFUSED', peer, what);
    }
    const { optional } = this.#parts;
    const announcement = announcementOf(opened, 'online', this.#parts.record);
    const announcing = `the announcement on ${announcement.topic}`;
    await optional.take('announcement', announcing, async () => await this.#announce(connection, opened, announcement));
    const counting = `the subscription to ${DROPS_TOPIC}`;
    await optional.take('drops', counting, async () => await connection.subscribe([{ filter: DROPS_TOPIC, qos: 0 }]));
  }

  async #announce(connection: MqttConnection, opened: MqttSection, message: OutgoingMessage): Promise<void> {
    try {
      await connection.publish(message);
    } catch (error) {
      if (!(error instanceof LinkError) || error.code !== 'LINK_PUBLISH_REFUSED') throw error;
      // Readings come all the same; agents send them one by one and get no receipts.
      this.#parts.log.warn(
        { code: error.code, instance: opened.instance },
        `agents cannot know of this server: ${error.message}`,
      );
    }
  }

  /** Bounded; never rejects. Whatever does not succeed, the will says that we are gone. */
  async #goodbye(connection: MqttConnection, opened: MqttSection, drained: () => Promise<void>): Promise<void> {
    const { clock, mqtt, receipts } = this.#parts;
    await drained();
    const lastWords = async (): Promise<void> => {
      await Promise.race([receipts.settled(), connection.closed]);
      const { instance, homeId } = mqtt.current;
      if (homeId !== opened.homeId) await connection.unsubscribe(filtersOf(opened.homeId));
      // A name that is given up must not be waited for; a server that only stops will be back.
      const isRenamed = instance !== opened.instance;
      const { topic, payload, retain } = announcementOf(opened, 'offline', this.#parts.record);
      await connection.publish({ topic, payload: isRenamed ? '' : payload, retain });
    };
    await withDeadline(lastWords(), { clock, limitMs: LAST_WORDS_MS, what: 'saying goodbye' }).catch(() => undefined);
    await connection.end(GOODBYE_MS);
  }

  #lookAtSession({ sessionExpirySeconds }: MqttConnection, { brokerHost, brokerPort }: MqttSection): void {
    if (sessionExpirySeconds === null || sessionExpirySeconds >= SHORT_SESSION_SECONDS) return;
    this.#parts.log.warn(
      { sessionExpirySeconds },
      `the broker ${brokerHost}:${brokerPort} keeps our session for ${sessionExpirySeconds} s only; what older agents send while this server is away longer is lost`,
    );
  }
}

/** Said by the broker when we vanish. */
export function willOf(mqtt: MqttSection, record: string | undefined): OutgoingMessage {
  return announcementOf(mqtt, 'offline', record);
}

/** `accepts` stays while we are away: agents keep their readings for us, in the form that we take. */
function announcementOf(
  { instance, receipts }: MqttSection,
  state: Announcement['state'],
  record: string | undefined,
): OutgoingMessage {
  const accepts = receipts ? (['batch', 'receipt'] as const) : (['batch'] as const);
  const payload = encodeAnnouncement({ state, accepts, ...(record !== undefined && { record }) });
  return { topic: serverTopic(instance), payload, retain: true };
}

function filtersOf(homeId: string): readonly string[] {
  return INGEST_LEAVES.map((leaf) => sensorTopic(homeId, '+', leaf));
}

/** Undefined when the signal is aborted first. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let abort: (() => void) | undefined;
  const aborted = new Promise<undefined>((resolve) => {
    abort = () => resolve(undefined);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort);
  }
}

/** What is missing without it, for people. */
const LOSS = {
  announcement: 'agents that do not know this server yet send their readings one by one, and wait for no receipt',
  drops: 'it is not known when the broker drops messages',
} as const;

export type IngestStep = keyof typeof LOSS;
export type IngestSteps = OptionalSteps<IngestStep>;

/** A broker that hangs up because of a step does it at once. */
const SUSPECT_AFTER_MS = 5_000;
const HOUR_MS = 3_600_000;

/** The server's optional steps: two at the begin of each session. Some brokers end the connection at a subscription to `$SYS`. */
export function createIngestSteps(clock: Pick<Clock, 'monotonicMs'>, log: Pick<Log, 'info' | 'warn'>): IngestSteps {
  return new OptionalSteps<IngestStep>({
    clock,
    suspectAfterMs: SUSPECT_AFTER_MS,
    onLeftOut: ({ name, what, pauseMs }) => {
      const time = pauseMs === HOUR_MS ? 'an hour' : `${pauseMs / HOUR_MS} hours`;
      log.warn(
        { step: what },
        `the broker ends the connection on ${what}: it is left out for ${time}. Without it ${LOSS[name]}`,
      );
    },
    onUsed: (_name, what, why) => {
      if (why === 'done') return;
      log.info({ step: what }, `${what} is not the reason why the broker ends the connection: it is used again`);
    },
  });
}

/** What is left out at the moment, in sentences for people. */
export function leftOutInWords(steps: IngestSteps): readonly string[] {
  return steps.leftOut().map(({ what }) => `${what} is left out, because the broker ends the connection on it`);
}
