/* The SMBus calls of i2c-dev, made of plain messages as the kernel does for an adapter that only knows I2C. */
#ifndef TECHTEMP_EMULATOR_SMBUS_H
#define TECHTEMP_EMULATOR_SMBUS_H

#include "emulator.h"

#include <linux/i2c-dev.h>

/* Answers 0 or a negative errno. */
int smbus_transfer(struct emulator *emulator, unsigned address, struct i2c_smbus_ioctl_data *request);

#endif
