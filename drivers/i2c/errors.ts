import { I2cError, type I2cErrorCode } from '../sensor.ts';

interface Verdict {
  readonly code: I2cErrorCode;
  /** Cause and remedy, the second half of the message. */
  readonly advice: string;
}

const NO_ANSWER: Verdict = {
  code: 'I2C_NACK',
  advice:
    'nothing answers at this address: check power and the four wires of the sensor (SDA pin 3, SCL pin 5 of a Pi)',
};
const NO_BUS: Verdict = {
  code: 'I2C_BUS_MISSING',
  advice:
    'there is no such bus: switch I2C on (sudo raspi-config nonint do_i2c 0; without it dtparam=i2c_arm=on in config.txt ' +
    'and modprobe i2c-dev), or correct the bus number',
};

/**
 * What the errno of a failed open, set-address or transfer means. Sources: the kernel's i2c-bcm2835 (Pi 0 to 4: EREMOTEIO for
 * no acknowledge, EIO for a stretched clock, ETIMEDOUT after 1 s), i2c-designware (Pi 5: EREMOTEIO, EAGAIN for lost
 * arbitration), i2c-gpio (ENXIO for no acknowledge of the address, EIO of a data byte) and i2c-dev (EBUSY from I2C_SLAVE).
 */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  ENOENT: NO_BUS,
  ENODEV: NO_BUS,
  EACCES: {
    code: 'I2C_PERMISSION',
    advice: 'not allowed to use it: add the user to group i2c (sudo usermod -aG i2c USER, then log in again)',
  },
  EPERM: {
    code: 'I2C_PERMISSION',
    advice: 'not permitted: under systemd the unit needs DeviceAllow=char-i2c rw, and i2c-dev loaded before it starts',
  },
  EBUSY: {
    code: 'I2C_ADDRESS_IN_USE',
    advice:
      'a driver of the kernel (aht10, seen as hwmon) holds this address: remove its dtoverlay=i2c-sensor line from ' +
      'config.txt and run sudo rmmod aht10',
  },
  EREMOTEIO: NO_ANSWER,
  ENXIO: NO_ANSWER,
  ETIMEDOUT: {
    code: 'I2C_TIMEOUT',
    advice:
      'the bus did not come free: SDA or SCL is held low, check the wires, and take the power off the sensor once',
  },
  EIO: {
    code: 'I2C_FAILED',
    advice: 'the transfer was disturbed: shorten the wires, or lower the bus clock (dtparam=i2c_arm_baudrate=50000)',
  },
  EAGAIN: {
    code: 'I2C_FAILED',
    advice: 'lost the bus to somebody else (arbitration): check that nothing else drives SDA',
  },
  ENOTTY: { code: 'I2C_FAILED', advice: 'this file is not an I2C bus' },
};

/** Opening a file that exists but has no device behind it says ENXIO, which in a transfer means something else. */
const OPEN_VERDICTS: Readonly<Record<string, Verdict>> = { ...VERDICTS, ENXIO: NO_BUS };

/** Turns what the file system or the native package threw into an I2cError; an I2cError stays as it is. */
export function translateI2cError(error: unknown, what: string, step: 'open' | 'transfer'): I2cError {
  if (error instanceof I2cError) return error;
  const code = errorCode(error);
  const { code: verdict, advice } = (step === 'open' ? OPEN_VERDICTS : VERDICTS)[code] ?? {
    code: 'I2C_FAILED',
    advice: 'check the wires, and the kernel log (dmesg)',
  };
  return new I2cError(verdict, `${what} failed (${code}): ${advice}`, { cause: error });
}

/** Why the native package could not be loaded, and what to do. */
export function translateLoadError(error: unknown): I2cError {
  const code = errorCode(error);
  const advice =
    code === 'ERR_DLOPEN_FAILED'
      ? 'was built for another Node.js or another machine: run npm rebuild i2c-bus'
      : 'is not installed or not built: run npm install on the Pi (it needs python3, make and g++)';
  return new I2cError('I2C_MODULE_MISSING', `the package i2c-bus, which a real sensor needs, ${advice} (${code})`, {
    cause: error,
  });
}

function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code !== '' ? code : String(error);
}
