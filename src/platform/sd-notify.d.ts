/** The package has no types of its own; this is the part of it that src/platform/systemd.ts uses. */
declare module 'sd-notify' {
  const notify: { sendState(state: string): void };
  export = notify;
}
