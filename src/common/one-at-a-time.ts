/**
 * Makes a function that asks for `work` to be done: at once, or, while it is being done, once more afterwards, however often
 * it was asked for meanwhile. So every request is followed by a whole run that began after it, and runs never overlap.
 * `work` must not reject.
 */
export function oneAtATime(work: () => Promise<void>): () => void {
  let asked = 0;
  let answered = 0;
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (answered !== asked) {
      answered = asked;
      await work();
    }
    running = false;
  };
  return () => {
    asked += 1;
    // Nobody waits for it: the caller is a signal handler, and the work ends in words of its own.
    if (!running) void run();
  };
}
