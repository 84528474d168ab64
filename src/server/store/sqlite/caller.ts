import type { Role, SideOf } from './sides.ts';

/** The names of a side's calls. */
export type MethodOf<R extends Role> = keyof SideOf[R] & string;
type Call<R extends Role, M extends MethodOf<R>> = Extract<SideOf[R][M], (...args: never[]) => unknown>;
export type ArgsOf<R extends Role, M extends MethodOf<R>> = Parameters<Call<R, M>>;
export type ResultOf<R extends Role, M extends MethodOf<R>> = ReturnType<Call<R, M>>;

/** Asks one side of a store, wherever it runs; calls are carried out in order. */
export interface Caller<R extends Role> {
  call<M extends MethodOf<R>>(method: M, ...args: ArgsOf<R, M>): Promise<ResultOf<R, M>>;
  /** Waits for the calls under way, then closes the file. */
  close(): Promise<void>;
}
