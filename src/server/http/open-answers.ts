/** Something under way that can be told to end. */
export type EndAnswer = () => void;

export interface OpenAnswers {
  /** @returns what takes it off the list again */
  add(end: EndAnswer): () => void;
}

/**
 * Answers that are told when the server closes. One listener on the signal for all: AbortSignal warns of a leak when more than ten
 * wait on it.
 */
export function createOpenAnswers(closing: AbortSignal): OpenAnswers {
  const open = new Set<EndAnswer>();
  closing.addEventListener(
    'abort',
    () => {
      for (const end of [...open]) end();
    },
    { once: true },
  );
  return {
    add(end) {
      // Of its own, so that the same function twice is two.
      const entry: EndAnswer = () => end();
      open.add(entry);
      if (closing.aborted) entry();
      return () => open.delete(entry);
    },
  };
}
