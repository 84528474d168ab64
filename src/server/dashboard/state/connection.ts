/** Whether what is shown is live. `polling`: the server has too many watchers; the page asks now and then. */
export type Connection =
  | { readonly kind: 'connecting' | 'live' | 'paused' | 'polling' }
  | { readonly kind: 'lost'; readonly sinceMs: number; readonly error: unknown };
