import { describe, expect, it } from 'vitest';
import { translateI2cError, translateLoadError } from '../../../drivers/i2c/errors.ts';
import { I2cError } from '../../../drivers/sensor.ts';

const withCode = (code: string): Error => Object.assign(new Error('as the kernel said'), { code });

describe('translateI2cError', () => {
  it.each([
    ['ENOENT', 'open', 'I2C_BUS_MISSING', 'raspi-config'],
    ['ENXIO', 'open', 'I2C_BUS_MISSING', 'dtparam=i2c_arm=on'],
    ['ENODEV', 'transfer', 'I2C_BUS_MISSING', 'modprobe i2c-dev'],
    ['EACCES', 'open', 'I2C_PERMISSION', 'usermod -aG i2c'],
    ['EPERM', 'open', 'I2C_PERMISSION', 'DeviceAllow=char-i2c'],
    ['EBUSY', 'transfer', 'I2C_ADDRESS_IN_USE', 'rmmod aht10'],
    ['EREMOTEIO', 'transfer', 'I2C_NACK', 'check power'],
    ['ENXIO', 'transfer', 'I2C_NACK', 'check power'],
    ['ETIMEDOUT', 'transfer', 'I2C_TIMEOUT', 'held low'],
    ['EIO', 'transfer', 'I2C_FAILED', 'i2c_arm_baudrate'],
    ['EAGAIN', 'transfer', 'I2C_FAILED', 'arbitration'],
    ['ENOTTY', 'transfer', 'I2C_FAILED', 'not an I2C bus'],
    ['EWHATEVER', 'transfer', 'I2C_FAILED', 'dmesg'],
  ] as const)('says of %s at %s: %s, and what to do', (errno, step, code, remedy) => {
    const cause = withCode(errno);
    const error = translateI2cError(cause, 'reading 7 bytes from 0x38 on /dev/i2c-1', step);
    expect(error).toMatchObject({ name: 'I2cError', code, cause });
    expect(error.message).toContain(`reading 7 bytes from 0x38 on /dev/i2c-1 failed (${errno})`);
    expect(error.message).toContain(remedy);
  });

  it('leaves an I2cError as it is, and takes anything else for a failure', () => {
    const own = new I2cError('I2C_HUNG', 'hung');
    expect(translateI2cError(own, 'x', 'transfer')).toBe(own);
    expect(translateI2cError('text', 'x', 'transfer')).toMatchObject({ code: 'I2C_FAILED' });
  });
});

describe('translateLoadError', () => {
  it.each([
    ['ERR_MODULE_NOT_FOUND', 'npm install'],
    ['MODULE_NOT_FOUND', 'npm install'],
    ['ERR_DLOPEN_FAILED', 'npm rebuild i2c-bus'],
  ])('says of %s what to run', (code, remedy) => {
    const error = translateLoadError(withCode(code));
    expect(error).toMatchObject({ code: 'I2C_MODULE_MISSING', message: expect.stringContaining(remedy) as string });
  });
});
