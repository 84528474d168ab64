/*
 * The system calls that i2c-bus does not make, one JSON line each: emulator-probe DEVICE [threads ROUNDS].
 * With `threads`, four threads read the status ROUNDS times, each through its own descriptor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define SENSOR 0x38

static const char *device;
static long rounds;

static void tell(const char *what, long result) {
  printf("{\"what\":\"%s\",\"result\":%ld,\"errno\":%d}\n", what, result, result < 0 ? errno : 0);
}

static long combined(int descriptor, struct i2c_msg *messages, unsigned count) {
  struct i2c_rdwr_ioctl_data data = {.msgs = messages, .nmsgs = count};
  return ioctl(descriptor, I2C_RDWR, &data);
}

static void probe_transfers(int descriptor) {
  uint8_t bytes[16] = {0};
  uint8_t select[] = {0x1B, 0, 0};
  tell("read without an address", read(descriptor, bytes, 1));
  tell("write without an address", write(descriptor, bytes, 1));
  tell("address 0x80", ioctl(descriptor, I2C_SLAVE, 0x80));
  tell("forced address", ioctl(descriptor, I2C_SLAVE_FORCE, SENSOR));
  tell("unknown ioctl", ioctl(descriptor, 0x0799, 0));
  tell("retries", ioctl(descriptor, I2C_RETRIES, 3));
  tell("empty write", write(descriptor, bytes, 0));
  tell("pread", pread(descriptor, bytes, 1, 5));
  tell("status", bytes[0]);
  struct iovec parts[] = {{bytes, 1}, {bytes + 1, 6}};
  tell("readv", readv(descriptor, parts, 2));
  struct iovec writes[] = {{select, 3}};
  tell("writev", writev(descriptor, writes, 1));
  struct i2c_msg registers[] = {{SENSOR, 0, 3, select}, {SENSOR, I2C_M_RD, 3, bytes}};
  tell("combined", combined(descriptor, registers, 2));
  tell("register byte 1", bytes[1]);
  struct i2c_msg nobody[] = {{0x39, I2C_M_RD, 1, bytes}};
  tell("combined, nobody there", combined(descriptor, nobody, 1));
  tell("combined, no messages", combined(descriptor, nobody, 0));
}

static void probe_files(int descriptor) {
  struct stat status;
  struct statx extended;
  tell("stat", stat(device, &status));
  tell("stat says character device", S_ISCHR(status.st_mode));
  tell("stat major", major(status.st_rdev));
  tell("lstat", lstat(device, &status));
  tell("fstat", fstat(descriptor, &status));
  tell("fstat minor", minor(status.st_rdev));
  tell("fstatat", fstatat(AT_FDCWD, device, &status, 0));
  tell("statx", statx(AT_FDCWD, device, 0, STATX_BASIC_STATS, &extended));
  tell("statx major", extended.stx_rdev_major);
  tell("access", access(device, R_OK | W_OK));
  tell("faccessat", faccessat(AT_FDCWD, device, X_OK, 0));
  int other = openat(AT_FDCWD, device, O_RDWR | O_CLOEXEC);
  tell("openat", other >= 0 ? 0 : -1);
  tell("close", close(other));
  int reused = open("/dev/zero", O_RDONLY);
  tell("number is given away again", reused == other);
  tell("read of the other file", read(reused, &status, 5));
  close(reused);
  tell("read after close", read(other, &status, 1));
  other = open(device, O_RDWR);
  dup2(open("/dev/zero", O_RDONLY), other);
  tell("read of a file put in its place", read(other, &status, 5));
}

static void *hammer(void *unused) {
  (void)unused;
  long good = 0;
  uint8_t status;
  int descriptor = open(device, O_RDWR);
  ioctl(descriptor, I2C_SLAVE, SENSOR);
  for (long i = 0; i < rounds; i++) good += read(descriptor, &status, 1) == 1 && status == 0x18;
  close(descriptor);
  return (void *)good;
}

int main(int count, char **arguments) {
  device = count > 1 ? arguments[1] : "/dev/i2c-1";
  if (count > 3) {
    pthread_t threads[4];
    long good = 0;
    rounds = atol(arguments[3]);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, hammer, NULL);
    for (int i = 0; i < 4; i++) {
      void *result;
      pthread_join(threads[i], &result);
      good += (long)result;
    }
    tell("good reads", good);
    return 0;
  }
  int descriptor = open(device, O_RDWR);
  tell("open", descriptor >= 0 ? 0 : -1);
  probe_transfers(descriptor);
  probe_files(descriptor);
  return 0;
}
