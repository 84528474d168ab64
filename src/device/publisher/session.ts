import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import { DeadlineError, waitAny, withDeadline } from '../../platform/tasks.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { LinkError, LinkSession } from '../mqtt/session.ts';
import type { BacklogSender } from './backlog-sender.ts';
import type { DeliveryTracker } from './delivery-tracker.ts';
import type { SessionSteps } from './faults.ts';
import type { Subscriptions } from './incoming.ts';
import type { LiveSender } from './live-sender.ts';
import type { RetainedPublisher } from './retained.ts';
import { type BacklogSignal, Sender, SendWindow, TaskGroup } from './sender.ts';

/** After our first messages are answered, brokers that look up retained messages in the background get this much more. */
const ANNOUNCEMENT_GRACE_MS = 1_000;
/** A stop waits this long for acknowledgements that are under way, for the last status, and for the broker's goodbye. */
const DRAIN_LIMIT_MS = 2_000;
const LAST_STATUS_LIMIT_MS = 1_000;
const GOODBYE_LIMIT_MS = 1_000;

export interface SessionParts {
  readonly clock: Clock;
  readonly heartbeat: LoopHeartbeat;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly tracker: Pick<DeliveryTracker, 'mode' | 'begin' | 'deliveryChanged'>;
  readonly backlogSignal: Pick<BacklogSignal, 'notify'>;
  readonly live: LiveSender;
  readonly backlog: BacklogSender;
  readonly retained: RetainedPublisher;
  readonly subscriptions: Subscriptions;
  readonly steps: SessionSteps;
}

/**
 * Lives through one connection: all lanes side by side until it breaks, or until the signal is aborted; then in this order:
 * nothing new, what is under way, status offline, goodbye.
 * @returns why it broke; undefined when it was ended by the signal. @throws what no lane could handle
 */
export async function runSession(
  parts: SessionParts,
  session: LinkSession,
  signal: AbortSignal,
): Promise<LinkError | undefined> {
  const { clock, heartbeat, mqtt } = parts;
  const stop = new AbortController();
  const tasks = new TaskGroup(stop.signal);
  const window = new SendWindow(windowSize(mqtt.current, session));
  const sender = new Sender(session, window, heartbeat);
  const ended = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true, signal: stop.signal });
  });

  parts.steps.begin(signal);
  const introduced = introduce(parts, sender, stop.signal);
  introduced.catch(() => undefined);
  parts.tracker.begin(introduced, session.protocolVersion);
  tasks.add(parts.live.run(sender, tasks, stop.signal));
  tasks.add(introduced.then(async () => parts.retained.run(sender, stop.signal)));
  tasks.add(introduced.then(async () => parts.backlog.run(sender, tasks, stop.signal)));
  tasks.add(introduced.then(async () => parts.subscriptions.run(session, stop.signal)));
  tasks.add(followConfig(parts, session, window, stop.signal));

  const end = await Promise.race([
    ended.then(() => ({ why: 'asked' }) as const),
    session.closed.then((error) => ({ why: 'broken', error }) as const),
    tasks.failed.then((error) => ({ why: 'failed', error }) as const),
  ]);
  stop.abort(new Error('the session is over'));
  if (end.why === 'asked') {
    const limited = { clock, limitMs: DRAIN_LIMIT_MS, what: 'draining' };
    await withDeadline(Promise.race([tasks.over(), session.closed]), limited).catch(ignoreDeadline);
    await sayOffline(parts, sender, session);
  }
  await session.end(end.why === 'asked' ? GOODBYE_LIMIT_MS : 0);
  await tasks.over();
  if (end.why === 'failed') throw end.error;
  return end.why === 'broken' ? end.error : undefined;
}

/** Resolves when it is known which servers have announced themselves: their retained words come before our status is answered. */
async function introduce(parts: SessionParts, sender: Sender, signal: AbortSignal): Promise<void> {
  const { clock, mqtt, tracker, retained, subscriptions } = parts;
  await subscriptions.begin(sender.session);
  await retained.begin(sender, signal);
  const undecided = mqtt.current.delivery === 'auto' && tracker.mode() === 'broker';
  if (undecided) await clock.sleep(ANNOUNCEMENT_GRACE_MS, signal);
}

/** What can change without a new connection takes effect here. */
async function followConfig(
  parts: SessionParts,
  session: LinkSession,
  window: SendWindow,
  signal: AbortSignal,
): Promise<void> {
  const { mqtt, device, homeassistant, tracker, backlogSignal } = parts;
  for (;;) {
    const seen = [mqtt.version, device.version, homeassistant.version] as const;
    window.resize(windowSize(mqtt.current, session));
    tracker.deliveryChanged();
    await waitAny(signal, [
      async (off) => mqtt.changed(seen[0], off),
      async (off) => device.changed(seen[1], off),
      async (off) => homeassistant.changed(seen[2], off),
    ]);
    parts.subscriptions.changed();
    parts.retained.statusChanged();
    backlogSignal.notify();
  }
}

function windowSize({ maxInFlight }: MqttSection, session: LinkSession): number {
  return Math.max(1, Math.min(maxInFlight, session.receiveMaximum));
}

async function sayOffline({ clock, retained }: SessionParts, sender: Sender, session: LinkSession): Promise<void> {
  const giveUp = new AbortController();
  const said = retained.end(sender, giveUp.signal).catch(() => undefined);
  const limited = { clock, limitMs: LAST_STATUS_LIMIT_MS, what: 'the last status' };
  await withDeadline(Promise.race([said, session.closed]), limited).catch(ignoreDeadline);
  giveUp.abort(new Error('no time for the last status'));
}

function ignoreDeadline(error: unknown): void {
  if (!(error instanceof DeadlineError)) throw error;
}
