/** Ids on the wire: `home_id`, `device_uid`, `epoch`. One rule for all, as in the older system. */

const ID_PATTERN = /^[A-Za-z0-9_-]{1,50}$/;

/** Whether a text can stand as one level of a topic: 1 to 50 of letters, digits, `_` and `-`. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** For messages to people. */
export const ID_RULE = '1 to 50 of the characters A-Z a-z 0-9 _ -';
