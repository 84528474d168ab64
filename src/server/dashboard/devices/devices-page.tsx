import type { JSX } from 'preact';

export function DevicesPage(): JSX.Element {
  return <p>…</p>;
}
