import type { KeyValue } from '../state/snapshot.ts';
import { createWatched, type Watched } from '../state/store.ts';

export type TokenReason = 'read' | 'write';

/** What the dialog is asked: to get a token, and how the answer comes back. */
export interface TokenQuestion {
  readonly why: TokenReason;
  /** One was sent, and it was not enough. */
  readonly isWrong: boolean;
  /** Undefined: the reader does not want to give one. */
  readonly answer: (token: string | undefined, keep: boolean) => void;
}

/** The reader's right to read or write: asked for once, when the server says that it needs it. */
export interface Tokens {
  current(): string | undefined;
  /** @returns whether there is now another token than `sent`: then it is worth trying again */
  ask(why: TokenReason, sent: string | undefined): Promise<boolean>;
  forget(): void;
  /** After a no to the question for reading, which is not put again by itself. */
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
    // Before the question is put: it may be answered at once.
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
