/** The bits of the column `flags` of readings. */
export const FLAG_UNSYNCED = 1;
export const FLAG_ON_DEMAND = 2;
