import type { KeyValue } from '../state/snapshot.ts';
import { createWatched, type Watched } from '../state/store.ts';

export type TokenReason = 'read' | 'write';

/** A request to the dialog to get a token, with the callback for the answer. */
export interface TokenQuestion {
  readonly why: TokenReason;
  /** A token was sent, but the server did not accept it. */
  readonly isWrong: boolean;
  /** Undefined: the reader does not want to give one. */
  readonly answer: (token: string | undefined, keep: boolean) => void;
}

/** The token of the reader. The dialog asks for it once, when the server needs it. */
export interface Tokens {
  current(): string | undefined;
  /** @returns whether there is now another token than `sent`: then it is worth trying again */
  ask(why: TokenReason, sent: string | undefined): Promise<boolean>;
  forget(): void;
  /** After the reader has given no token for reading. The page does not ask again by itself. */
  invite(): Promise<boolean>;
  readonly question: Watched<TokenQuestion | null>;
}

export function createTokens(storage: KeyValue, base: string): Tokens {
  const key = `techtemp.token:${base}`;
  const question = createWatched<TokenQuestion | null>(null);
  let token = storage.get(key) ?? undefined;
  let asking: Promise<boolean> | undefined;
  let hasDeclined = false;

  const ask = (why: TokenReason, isWrong: boolean): Promise<boolean> => {
    if (asking !== undefined) return asking;
    let settle: (hasToken: boolean) => void = () => undefined;
    const answered = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    // Before the dialog is asked: its answer may come at once.
    asking = answered;
    question.set({
      why,
      isWrong,
      answer(given, keep) {
        asking = undefined;
        hasDeclined = why === 'read' && given === undefined;
        if (given !== undefined) {
          token = given;
          if (keep) storage.set(key, given);
          else storage.remove(key);
        }
        question.set(null);
        settle(given !== undefined);
      },
    });
    return answered;
  };

  return {
    question,
    current: () => token,
    ask(why, sent) {
      // Several requests may be refused at once: the reader is asked once.
      if (sent !== token) return Promise.resolve(true);
      if (why === 'read' && hasDeclined) return Promise.resolve(false);
      return ask(why, sent !== undefined);
    },
    invite: () => ask('read', token !== undefined),
    forget() {
      token = undefined;
      storage.remove(key);
    },
  };
}
