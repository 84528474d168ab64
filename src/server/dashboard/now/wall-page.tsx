import type { JSX } from 'preact';

export function WallPage(): JSX.Element {
  return <p>…</p>;
}
