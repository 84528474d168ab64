import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Verdict } from '../../server/http/schemas/record.ts';
import type { TimeRange } from '../history/range.ts';
import { usePage, useWatched } from './context.ts';

/** An open page asks again this often: the stream reports changes of the record, but not that time has passed. */
const AGAIN_MS = 60_000;

/**
 * Whether readings are missing, as the server has found: only its verdict can say that none is. What is not known is shown, too.
 */
export function VerdictWord({
  range,
  nameOf,
}: {
  /** Absent: all of the record. */
  readonly range?: TimeRange | undefined;
  readonly nameOf: (deviceUid: string) => string;
}): JSX.Element {
  const { api, session, platform, clock, t, format } = usePage();
  const changes = useWatched(session.pastChanges);
  const [verdict, setVerdict] = useState<Verdict | undefined>();
  const [failed, setFailed] = useState(false);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const ending = new AbortController();
    platform.every(AGAIN_MS, ending.signal, () => setRound((before) => before + 1));
    return () => ending.abort();
  }, [platform]);
  useEffect(() => {
    const ending = new AbortController();
    api.verdict(range, ending.signal).then(
      (found) => {
        setVerdict(found);
        setFailed(false);
      },
      () => {
        // An older verdict would be about another time, or about another state of the record.
        if (!ending.signal.aborted) setFailed(true);
      },
    );
    return () => ending.abort();
  }, [api, range?.fromMs, range?.toMs, changes, round]);

  if (failed) return <p class="subtitle">{t('verdictFailed')}</p>;
  if (verdict === undefined) return <p class="subtitle" aria-busy="true" />;
  if (verdict.outcome === 'not-checked') return <p class="subtitle">{t('verdictNotChecked')}</p>;
  const faulty = verdict.devices.filter(({ missing }) => missing > 0);
  const unnumbered = verdict.devices
    .filter((device) => device.unnumbered > 0)
    .map((device) => nameOf(device.device_id));
  const cutOff = verdict.devices.filter((device) => device.unknown_ends > 0).map((device) => nameOf(device.device_id));
  const unjudged = verdict.devices.filter(isUnjudged).map((device) => nameOf(device.device_id));
  const words = [
    ...(verdict.doubled > 0 ? [t('verdictDoubled', { count: verdict.doubled })] : []),
    ...(unnumbered.length > 0 ? [t('verdictUnnumbered', { names: unnumbered.join(', ') })] : []),
    ...(verdict.before_record > 0 ? [t('verdictBefore', { count: verdict.before_record })] : []),
    ...(cutOff.length > 0 ? [t('verdictUnknownEnd', { names: cutOff.join(', ') })] : []),
    ...(verdict.waiting > 0 ? [t('verdictWaiting', { count: verdict.waiting })] : []),
    ...(unjudged.length > 0 ? [t('verdictUnjudged', { names: unjudged.join(', ') })] : []),
    ...(verdict.outcome === 'whole' ? [t(verdict.explained > 0 ? 'verdictExplained' : 'verdictWhole')] : []),
  ];
  const checked = verdict.checked_at === null ? '' : format.moment(Date.parse(verdict.checked_at), clock.nowMs());
  return (
    <div class="verdict" data-outcome={verdict.outcome}>
      {verdict.missing > 0 && <p>{t('verdictMissing', { count: verdict.missing })}</p>}
      {faulty.length > 0 && (
        <ul class="gap-list">
          {faulty.map(({ device_id, missing }) => (
            <li key={device_id}>
              <span class="gap-mark" aria-hidden="true" />
              <strong>{nameOf(device_id)}</strong>: {t('gapReadings', { count: missing })}, {t('verdictNoReason')}
            </li>
          ))}
        </ul>
      )}
      {words.map((word) => (
        <p key={word}>{word}</p>
      ))}
      <p class="subtitle">{t('verdictChecked', { time: checked })}</p>
    </div>
  );
}

/** The outcome is unknown and no other field tells why: there was too much to check beside the other work. */
function isUnjudged(device: Verdict['devices'][number]): boolean {
  const { unnumbered, before_record: before, waiting, unknown_ends: unknownEnds } = device;
  return device.outcome === 'unknown' && unnumbered + before + waiting + unknownEnds === 0;
}
