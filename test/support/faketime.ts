import { existsSync } from 'node:fs';

/** libfaketime; undefined where it is not installed. */
export const FAKETIME = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf']
  .map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path));

/** For a program whose wall clock is what `file` says (`+0`, `-2d`), at any time; its monotonic clock is the machine's. */
export function fakeClockEnv(file: string): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: FAKETIME ?? '',
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_NO_CACHE: '1',
  };
}
