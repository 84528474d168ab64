#define _GNU_SOURCE
#include "smbus.h"

#include <errno.h>
#include <linux/i2c.h>
#include <string.h>

/* Bytes that the write part carries besides the command, and that the read part asks for. */
struct shape {
  size_t written, read;
  int has_command;
};

/* i2c_smbus_xfer_emulated of the kernel, drivers/i2c/i2c-core-smbus.c; no block reads whose length the chip names. */
static int shape_of(const struct i2c_smbus_ioctl_data *request, unsigned size, struct shape *shape) {
  int is_read = request->read_write == I2C_SMBUS_READ;
  size_t block = 0;
  if (size == I2C_SMBUS_I2C_BLOCK_DATA || (size == I2C_SMBUS_BLOCK_DATA && !is_read)) {
    if (request->data == NULL) return -EINVAL;
    block = request->data->block[0];
    if (block > I2C_SMBUS_BLOCK_MAX) return -EINVAL;
  }
  switch (size) {
    case I2C_SMBUS_QUICK:
      *shape = (struct shape){0, 0, 0};
      return 0;
    case I2C_SMBUS_BYTE:
      *shape = is_read ? (struct shape){0, 1, 0} : (struct shape){0, 0, 1};
      return 0;
    case I2C_SMBUS_BYTE_DATA:
      *shape = is_read ? (struct shape){0, 1, 1} : (struct shape){1, 0, 1};
      return 0;
    case I2C_SMBUS_WORD_DATA:
      *shape = is_read ? (struct shape){0, 2, 1} : (struct shape){2, 0, 1};
      return 0;
    case I2C_SMBUS_PROC_CALL:
      *shape = (struct shape){2, 2, 1};
      return 0;
    case I2C_SMBUS_BLOCK_DATA:
      if (is_read) return -EOPNOTSUPP;
      *shape = (struct shape){block + 1, 0, 1};
      return 0;
    case I2C_SMBUS_I2C_BLOCK_DATA:
      *shape = is_read ? (struct shape){0, block, 1} : (struct shape){block, 0, 1};
      return 0;
    default:
      return -EOPNOTSUPP;
  }
}

int smbus_transfer(struct emulator *emulator, unsigned address, struct i2c_smbus_ioctl_data *request) {
  struct shape shape;
  uint8_t out[I2C_SMBUS_BLOCK_MAX + 2], in[I2C_SMBUS_BLOCK_MAX];
  /* The kernel takes the older number of the same call; its reads are of 32 bytes. */
  unsigned size = request->size == I2C_SMBUS_I2C_BLOCK_BROKEN ? I2C_SMBUS_I2C_BLOCK_DATA : request->size;
  if (size != request->size && request->read_write == I2C_SMBUS_READ && request->data != NULL) {
    request->data->block[0] = I2C_SMBUS_BLOCK_MAX;
  }
  int error = shape_of(request, size, &shape);
  if (error < 0) return error;
  if ((shape.written > 0 || shape.read > 0) && request->data == NULL) return -EINVAL;
  int is_block = size == I2C_SMBUS_I2C_BLOCK_DATA;
  out[0] = request->command;
  /* Byte, word and block share their first byte; an I2C block leaves its length out of the message. */
  if (shape.written > 0) memcpy(out + 1, request->data->block + (is_block ? 1 : 0), shape.written);
  struct message messages[2];
  int count = 0;
  int quick = size == I2C_SMBUS_QUICK;
  if (shape.has_command || (quick && request->read_write == I2C_SMBUS_WRITE)) {
    messages[count++] = (struct message){address, 0, quick ? 0 : shape.written + 1, out};
  }
  if (shape.read > 0 || (quick && count == 0)) messages[count++] = (struct message){address, 1, shape.read, in};
  error = bus_transfer(emulator, messages, count);
  if (error < 0 || shape.read == 0) return error;
  memcpy(request->data->block + (is_block ? 1 : 0), in, shape.read);
  if (is_block) request->data->block[0] = (uint8_t)shape.read;
  return 0;
}
