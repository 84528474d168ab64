/** The three things a driver needs of an I2C bus. drivers/i2c-bus.ts is the implementation on /dev/i2c-N. */
export interface I2cBus {
  /** For people, e.g. `/dev/i2c-1`. */
  readonly path: string;
  /**
   * One transfer to the device at a 7-bit address. Transfers on one bus never overlap; each is bounded in time.
   * @throws I2cError
   */
  write(address: number, bytes: Uint8Array): Promise<void>;
  /** Reads exactly `length` bytes. @throws I2cError (I2C_SHORT_TRANSFER when fewer came) */
  read(address: number, length: number): Promise<Uint8Array>;
  /** Transfers that were given up on after the deadline and have not returned yet. */
  hungTransfers(): number;
  close(): Promise<void>;
}

/** Opens `/dev/i2c-{busNumber}` and proves that the device file can be opened. @throws I2cError */
export type OpenI2cBus = (busNumber: number) => Promise<I2cBus>;
