/*
 * LD_PRELOAD library: answers for /dev/i2c-N like Linux i2c-dev, everything else goes to the C library.
 * TECHTEMP_EMULATED_I2C names the state files, one per bus, separated by colons.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "smbus.h"

#define MAX_BUSES 8
#define MAX_DESCRIPTORS 65536
#define MAX_TRANSFER 8192 /* i2c-dev clamps reads and writes to this */
#define FUNCTIONS (I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL)

/* Another thread may close a descriptor while a transfer runs on it, so what a transfer needs is read out first. */
struct open_bus {
  struct emulator *_Atomic emulator; /* NULL: not ours */
  _Atomic unsigned address;          /* 0 until I2C_SLAVE, as in the kernel */
};

static struct emulator *buses[MAX_BUSES];
static struct open_bus descriptors[MAX_DESCRIPTORS];

__attribute__((constructor)) static void map_buses(void) {
  const char *paths = getenv("TECHTEMP_EMULATED_I2C");
  char path[PATH_BYTES];
  for (int i = 0; paths != NULL && *paths != 0 && i < MAX_BUSES; i++) {
    size_t length = strcspn(paths, ":");
    snprintf(path, sizeof path, "%.*s", (int)length, paths);
    buses[i] = emulator_map(path);
    if (buses[i] == NULL) fprintf(stderr, "techtemp emulator: %s: %s\n", path, strerror(errno));
    paths += length + (paths[length] == ':');
  }
}

static int fail(int code) {
  errno = code;
  return -1;
}

struct emulator *bus_at(const char *path) {
  if (path == NULL || strncmp(path, "/dev/i2c-", 9) != 0) return NULL;
  char *end;
  long number = strtol(path + 9, &end, 10);
  for (int i = 0; end != path + 9 && *end == 0 && i < MAX_BUSES; i++) {
    if (buses[i] != NULL && buses[i]->shared->bus == number) return buses[i];
  }
  return NULL;
}

int file_fault_hits(struct emulator *emulator, enum fault fault) {
  struct sensor *sensor = state_begin(emulator);
  int hit = fault_hits(sensor, fault, ON_ANY);
  if (hit) log_line(emulator, "\"event\":\"file\",\"fault\":\"%s\"", fault_names[fault]);
  state_commit(emulator);
  return hit;
}

static int next_fstat(int descriptor, struct stat *status) {
  NEXT(fstat);
  return next(descriptor, status);
}

/* A number that was closed behind our back and given away again is not ours any more. */
struct emulator *bus_at_descriptor(int descriptor) {
  if (descriptor < 0 || descriptor >= MAX_DESCRIPTORS) return NULL;
  struct emulator *emulator = descriptors[descriptor].emulator;
  if (emulator == NULL) return NULL;
  struct stat actual;
  if (next_fstat(descriptor, &actual) == 0 && actual.st_ino == emulator->shared->node_inode) return emulator;
  descriptors[descriptor].emulator = NULL;
  return NULL;
}

static int open_device(struct emulator *emulator, int flags) {
  if (file_fault_hits(emulator, FAULT_NO_DEVICE)) return fail(ENOENT);
  if (file_fault_hits(emulator, FAULT_NO_PERMISSION)) return fail(EACCES);
  NEXT(open);
  int descriptor = next(emulator->shared->node_path, O_RDONLY | (flags & O_CLOEXEC));
  if (descriptor < 0) return -1;
  if (descriptor >= MAX_DESCRIPTORS) {
    syscall(SYS_close, descriptor);
    return fail(EMFILE);
  }
  descriptors[descriptor].address = 0;
  descriptors[descriptor].emulator = emulator;
  return descriptor;
}

#define OPEN(name, signature, path, call)                                      \
  EXPORT int name signature {                                                  \
    mode_t mode = 0;                                                           \
    if (__OPEN_NEEDS_MODE(flags)) {                                            \
      va_list values;                                                          \
      va_start(values, flags);                                                 \
      mode = va_arg(values, mode_t);                                           \
      va_end(values);                                                          \
    }                                                                          \
    struct emulator *emulator = bus_at(path);                                  \
    if (emulator != NULL) return open_device(emulator, flags);                 \
    NEXT(name);                                                                \
    return next call;                                                          \
  }

/* What `open` without a mode becomes in a program that was compiled with _FORTIFY_SOURCE. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __open64_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags) { return open64(path, flags); }

OPEN(open, (const char *path, int flags, ...), path, (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), path, (path, flags, mode))
OPEN(openat, (int folder, const char *path, int flags, ...), path, (folder, path, flags, mode))
OPEN(openat64, (int folder, const char *path, int flags, ...), path, (folder, path, flags, mode))

EXPORT int close(int descriptor) {
  NEXT(close);
  if (descriptor >= 0 && descriptor < MAX_DESCRIPTORS) descriptors[descriptor].emulator = NULL;
  return next(descriptor);
}

/* One transfer of one message: bytes transferred, or -1. */
static ssize_t transfer(struct emulator *emulator, int descriptor, int is_read, void *bytes, size_t count) {
  uint8_t copy[MAX_TRANSFER];
  if (count > MAX_TRANSFER) count = MAX_TRANSFER;
  if (!is_read) memcpy(copy, bytes, count);
  struct message message = {.address = descriptors[descriptor].address, .is_read = is_read, .count = count, .bytes = copy};
  int result = bus_transfer(emulator, &message, 1);
  if (result < 0) return fail(-result);
  if (is_read) memcpy(bytes, copy, count);
  return (ssize_t)count;
}

#define READ_OR_WRITE(name, signature, is_read, bytes, call)                   \
  EXPORT ssize_t name signature {                                              \
    struct emulator *emulator = bus_at_descriptor(descriptor);                 \
    if (emulator != NULL) return transfer(emulator, descriptor, is_read, bytes, count); \
    NEXT(name);                                                                \
    return next call;                                                          \
  }

READ_OR_WRITE(read, (int descriptor, void *bytes, size_t count), 1, bytes, (descriptor, bytes, count))
READ_OR_WRITE(write, (int descriptor, const void *bytes, size_t count), 0, (void *)bytes, (descriptor, bytes, count))
READ_OR_WRITE(pread, (int descriptor, void *bytes, size_t count, off_t at), 1, bytes, (descriptor, bytes, count, at))
READ_OR_WRITE(pread64, (int descriptor, void *bytes, size_t count, off64_t at), 1, bytes,
              (descriptor, bytes, count, at))
READ_OR_WRITE(pwrite, (int descriptor, const void *bytes, size_t count, off_t at), 0, (void *)bytes,
              (descriptor, bytes, count, at))
READ_OR_WRITE(pwrite64, (int descriptor, const void *bytes, size_t count, off64_t at), 0, (void *)bytes,
              (descriptor, bytes, count, at))

/* i2c-dev has no vectored read or write, so the kernel makes one transfer of each part. */
static ssize_t transfer_parts(struct emulator *emulator, int descriptor, int is_read, const struct iovec *parts,
                              int count) {
  ssize_t total = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = transfer(emulator, descriptor, is_read, parts[i].iov_base, parts[i].iov_len);
    if (done < 0) return total > 0 ? total : -1;
    total += done;
  }
  return total;
}

#define VECTORED(name, signature, is_read, call)                               \
  EXPORT ssize_t name signature {                                              \
    struct emulator *emulator = bus_at_descriptor(descriptor);                 \
    if (emulator != NULL) return transfer_parts(emulator, descriptor, is_read, parts, count); \
    NEXT(name);                                                                \
    return next call;                                                          \
  }

VECTORED(readv, (int descriptor, const struct iovec *parts, int count), 1, (descriptor, parts, count))
VECTORED(writev, (int descriptor, const struct iovec *parts, int count), 0, (descriptor, parts, count))

/* I2C_RDWR: several messages as one transaction, with repeated starts between them. */
static int combined(struct emulator *emulator, struct i2c_rdwr_ioctl_data *data) {
  struct message messages[I2C_RDWR_IOCTL_MAX_MSGS];
  if (data == NULL) return fail(EFAULT);
  if (data->nmsgs == 0 || data->msgs == NULL) return fail(EINVAL);
  if (data->nmsgs > I2C_RDWR_IOCTL_MAX_MSGS) return fail(EINVAL);
  for (unsigned i = 0; i < data->nmsgs; i++) {
    if (data->msgs[i].len > MAX_TRANSFER) return fail(EINVAL);
    messages[i] = (struct message){.address = data->msgs[i].addr,
                                   .is_read = (data->msgs[i].flags & I2C_M_RD) != 0,
                                   .count = data->msgs[i].len,
                                   .bytes = data->msgs[i].buf};
  }
  int result = bus_transfer(emulator, messages, (int)data->nmsgs);
  return result < 0 ? fail(-result) : (int)data->nmsgs;
}

/* The kernel lets nobody have the address of a device that one of its own drivers serves. */
static int is_kernel_driven(struct emulator *emulator, unsigned long address) {
  struct sensor *sensor = state_begin(emulator);
  int is_sensor = address == (unsigned long)sensor->settings.address;
  state_abandon(emulator);
  return is_sensor && file_fault_hits(emulator, FAULT_KERNEL_DRIVER);
}

static int control_device(struct emulator *emulator, int descriptor, unsigned long request, void *argument) {
  unsigned long number = (unsigned long)argument;
  switch (request) {
    case I2C_SLAVE:
      if (number > 0x7F) return fail(EINVAL);
      if (is_kernel_driven(emulator, number)) return fail(EBUSY);
      descriptors[descriptor].address = (unsigned)number;
      return 0;
    case I2C_SLAVE_FORCE:
      if (number > 0x7F) return fail(EINVAL);
      descriptors[descriptor].address = (unsigned)number;
      return 0;
    case I2C_FUNCS:
      *(unsigned long *)argument = FUNCTIONS;
      return 0;
    case I2C_RDWR:
      return combined(emulator, argument);
    case I2C_SMBUS: {
      int result = smbus_transfer(emulator, descriptors[descriptor].address, argument);
      return result < 0 ? fail(-result) : 0;
    }
    case I2C_RETRIES:
    case I2C_TIMEOUT:
      return number > INT_MAX ? fail(EINVAL) : 0;
    default:
      return fail(ENOTTY);
  }
}

EXPORT int ioctl(int descriptor, unsigned long request, ...) {
  va_list values;
  va_start(values, request);
  void *argument = va_arg(values, void *);
  va_end(values);
  struct emulator *emulator = bus_at_descriptor(descriptor);
  if (emulator != NULL) return control_device(emulator, descriptor, request, argument);
  NEXT(ioctl);
  return next(descriptor, request, argument);
}
