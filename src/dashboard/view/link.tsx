import type { ComponentChildren, JSX } from 'preact';
import { usePage } from './context.ts';
import type { Route } from './navigation.ts';

/** To another page of the dashboard, without loading it again; with Ctrl or the middle button as any link. */
export function Link({
  route,
  search = '',
  label,
  current = false,
  class: className,
  children,
}: {
  readonly route: Route;
  readonly search?: string;
  /** Its name for screen readers, where its text alone is not enough. */
  readonly label?: string;
  readonly current?: boolean;
  readonly class?: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { navigation } = usePage();
  const onClick = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    navigation.go(route, search);
  };
  return (
    <a
      href={navigation.href(route, search)}
      onClick={onClick}
      class={className}
      aria-label={label}
      aria-current={current ? 'page' : undefined}
    >
      {children}
    </a>
  );
}
