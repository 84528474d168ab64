import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { usePage } from './context.ts';
import type { Route } from './navigation.ts';

/** A native modal dialog: Esc closes it, the rest of the page is out of reach, and the focus goes back to where it came from. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { t } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="dialog-inside">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button type="button" class="plain" aria-label={t('close')} onClick={() => dialog.current?.close()}>
            <Glyph name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

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

/** Drawn by hand on a grid of 24, in the colour of the text; words beside them tell what they mean. */
function Icon({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const line = {
  fill: 'none',
  stroke: 'currentColor',
  'stroke-width': 2,
  'stroke-linecap': 'round',
  'stroke-linejoin': 'round',
} as const;

const PATHS = {
  home: 'M4 11.5 12 5l8 6.5M6.5 10v9h11v-9M10.5 19v-5h3v5',
  chart: 'M4 4v16h16M8 15l3.5-5 3 3L20 7',
  devices: 'M5 6h14v8H5zM9 18h6M12 14v4',
  wall: 'M3 5h18v12H3zM9 21h6',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5.5v13l10-6.5z',
  left: 'M14.5 6 8.5 12l6 6',
  right: 'M9.5 6l6 6-6 6',
  plus: 'M12 6v12M6 12h12',
  minus: 'M6 12h12',
  reset: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
  down: 'M12 5v10M7.5 11l4.5 4.5 4.5-4.5M5 19.5h14',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  table: 'M4 5h16v14H4zM4 10h16M4 14.5h16M10 5v14',
  close: 'M6 6l12 12M18 6 6 18',
} as const;

export type IconName = keyof typeof PATHS;

export function Glyph({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <Icon>
      <path d={PATHS[name]} {...line} />
    </Icon>
  );
}
