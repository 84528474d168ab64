import type { JSX } from 'preact';
import { usePage } from '../view/context.ts';
import type { SourceKey } from './address.ts';
import type { Source } from './sources.ts';

/** Which rooms and devices are in the chart; their colour is theirs whether they are or not. */
export function SourcePicker({
  all,
  chosen,
  onChange,
}: {
  readonly all: readonly Source[];
  readonly chosen: readonly Source[];
  readonly onChange: (keys: readonly SourceKey[]) => void;
}): JSX.Element {
  const { t } = usePage();
  const chosenKeys = chosen.map(({ key }) => key);
  const offered = [...all, ...chosen.filter(({ key }) => !all.some((source) => source.key === key))];
  const toggle = (key: SourceKey, isOn: boolean): void =>
    onChange(
      isOn
        ? offered.map((one) => one.key).filter((one) => one === key || chosenKeys.includes(one))
        : chosenKeys.filter((one) => one !== key),
    );
  return (
    <fieldset class="sources">
      <legend>{t('roomsToShow')}</legend>
      {offered.map(({ key, name, colour, dash }) => (
        <label key={key} class={`source c${colour}`}>
          <input
            type="checkbox"
            checked={chosenKeys.includes(key)}
            onChange={({ currentTarget }) => toggle(key, currentTarget.checked)}
          />
          <svg class="line-sample" viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
            <path d="M1 4h22" stroke-dasharray={dash.join(' ') || undefined} />
          </svg>
          <span>{name}</span>
        </label>
      ))}
    </fieldset>
  );
}
