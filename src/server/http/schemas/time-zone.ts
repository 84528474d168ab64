import { Type } from 'typebox';

/** `checkedTimeZone` says whether it exists. */
export const TimeZone = Type.String({
  minLength: 1,
  maxLength: 60,
  description: "IANA name of the time zone whose hours and days count; absent: the house's",
  examples: ['Europe/Brussels'],
});
