import type { Command } from '../../contract/messages.ts';
import type { DeviceStatus } from '../../contract/status.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { LoopHeartbeat, Progress } from '../../platform/systemd.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { JournalSet } from '../journal/journal.ts';
import type { OpenLink } from '../mqtt/session.ts';
import { BacklogSender } from './backlog-sender.ts';
import { ConnectionLoop } from './connection-loop.ts';
import { DeliveryLimits } from './delivery-limits.ts';
import { DeliveryTracker } from './delivery-tracker.ts';
import { createSessionSteps, type Faults, type SessionSteps } from './faults.ts';
import { InFlight } from './in-flight.ts';
import { Incoming, Subscriptions } from './incoming.ts';
import { KnownServers } from './known-servers.ts';
import { LiveSender } from './live-sender.ts';
import { ReceiptWait } from './receipt-wait.ts';
import { RetainedPublisher } from './retained.ts';
import { BacklogSignal } from './sender.ts';
import { ServerWatch } from './servers.ts';
import type { StoredState } from './state-file.ts';
import { Subscribers } from './subscribers.ts';

export interface PublisherParts {
  readonly journals: Pick<JournalSet, 'journals' | 'recall'>;
  readonly openLink: OpenLink;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time without a beat, ms; Infinity without a watchdog. */
  readonly maxIdleMs: number;
  /** File that remembers servers that give receipts, and what we left retained at the broker. */
  readonly statePath: string;
  /** For CREDENTIALS_DIRECTORY. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asked for whenever a status is to be published; also for `interval_s`. */
  readonly status: () => DeviceStatus;
  /** Somebody asks for something; bounded in rate. Must not wait. */
  readonly onCommand: (command: Command) => void;
  /** What `state()` tells has changed: `routine` when only `taken` has grown. Must not throw. */
  readonly onChange: (word: 'news' | 'routine') => void;
  readonly version: string;
}

/** What is there once the state file has been read. */
export interface AssemblyParts extends PublisherParts {
  readonly state: StoredState;
  readonly faults: Faults;
  readonly heartbeat: LoopHeartbeat;
  /** What `state()` and `status` tell has changed. */
  readonly onStateChange: () => void;
}

/** The parts that a running publisher consists of. */
export interface AssembledPublisher {
  readonly servers: KnownServers;
  readonly subscribers: Subscribers;
  readonly limits: DeliveryLimits;
  readonly tracker: DeliveryTracker;
  readonly backlogSignal: BacklogSignal;
  readonly live: LiveSender;
  readonly retained: RetainedPublisher;
  readonly subscriptions: Subscriptions;
  readonly steps: SessionSteps;
  readonly incoming: Incoming;
  readonly connection: ConnectionLoop;
}

/** Makes each part of the publisher and hands it what it uses. */
export function assemblePublisher(parts: AssemblyParts): AssembledPublisher {
  const { clock, log, random, state, faults, heartbeat, journals, device, mqtt, homeassistant, status } = parts;
  const config = { device, mqtt, homeassistant };
  const onDeliveryChange = parts.onStateChange;

  const servers = new KnownServers(state.current.servers);
  const inFlight = new InFlight();
  const backlogSignal = new BacklogSignal();
  const steps = createSessionSteps(clock, faults);
  const limits = new DeliveryLimits({ clock, log, faults });
  const subscribers = new Subscribers({ clock, log, mqtt, faults, state, onDeliveryChange });
  const receipts = new ReceiptWait({ clock, mqtt, faults, inFlight, servers, limits, backlog: backlogSignal });
  const onRecalled = (): void => tracker.recalled();
  const serverWatch = new ServerWatch({ clock, log, journals, faults, heartbeat, state, servers, onRecalled });
  const tracker: DeliveryTracker = new DeliveryTracker({
    clock,
    mqtt,
    journals,
    state,
    servers,
    serverWatch,
    subscribers,
    inFlight,
    limits,
    receipts,
    backlog: backlogSignal,
    onDeliveryChange,
    onTaken: parts.onChange,
  });

  const live = new LiveSender({
    ...config,
    clock,
    faults,
    steps,
    inFlight,
    tracker,
    limits,
    backlog: backlogSignal,
    intervalMs: () => (status().interval_s ?? 0) * 1000,
  });
  const backlog = new BacklogSender({
    clock,
    random,
    journals,
    device,
    mqtt,
    faults,
    heartbeat,
    live,
    signal: backlogSignal,
    inFlight,
    tracker,
    receipts,
    limits,
    servers,
    subscribers,
  });
  const { version } = parts;
  const retained = new RetainedPublisher({ ...config, clock, faults, state, steps, random, version, status });
  const subscriptions = new Subscriptions({ ...config, clock, journals, faults, steps, servers });
  const incoming = new Incoming({
    clock,
    log,
    homeassistant,
    journals,
    servers,
    serverWatch,
    receipts,
    tracker,
    onCommand: parts.onCommand,
    onHomeAssistant: () => retained.announceAgain(),
    onIgnored: (topic, why) => log.debug({ topic }, `ignored a message: ${why}`),
  });
  const connection = new ConnectionLoop({
    ...config,
    clock,
    heartbeat,
    faults,
    tracker,
    backlogSignal,
    live,
    backlog,
    retained,
    subscriptions,
    steps,
    incoming,
    random,
    log,
    openLink: parts.openLink,
    env: parts.env,
    onStateChange: parts.onStateChange,
  });
  return {
    servers,
    subscribers,
    limits,
    tracker,
    backlogSignal,
    live,
    retained,
    subscriptions,
    steps,
    incoming,
    connection,
  };
}
