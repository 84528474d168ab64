/* What stat, access and their relatives say about /dev/i2c-N: a character device 89:N. */
#define _GNU_SOURCE
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define I2C_MAJOR 89

static int fail(int code) {
  errno = code;
  return -1;
}

static void identity(struct emulator *emulator, mode_t *mode, gid_t *group, unsigned *minor_number) {
  struct sensor *sensor = state_begin(emulator);
  *mode = S_IFCHR | (mode_t)sensor->settings.mode;
  *group = (gid_t)sensor->settings.gid;
  *minor_number = (unsigned)emulator->shared->bus;
  state_abandon(emulator);
}

static int is_missing(struct emulator *emulator) { return file_fault_hits(emulator, FAULT_NO_DEVICE); }

/* struct stat and struct stat64 have the same members. */
#define FILL(status, emulator)                                                 \
  do {                                                                         \
    mode_t mode;                                                               \
    gid_t group;                                                               \
    unsigned minor_number;                                                     \
    identity(emulator, &mode, &group, &minor_number);                          \
    memset(status, 0, sizeof *status);                                         \
    status->st_mode = mode;                                                    \
    status->st_gid = group;                                                    \
    status->st_nlink = 1;                                                      \
    status->st_blksize = 4096;                                                 \
    status->st_rdev = makedev(I2C_MAJOR, minor_number);                        \
  } while (0)

#define STAT(name, signature, answering, call)                                 \
  EXPORT int name signature;                                                   \
  EXPORT int name signature {                                                  \
    struct emulator *emulator = answering;                                     \
    if (emulator != NULL) {                                                    \
      FILL(status, emulator);                                                  \
      return 0;                                                                \
    }                                                                          \
    NEXT(name);                                                                \
    return next call;                                                          \
  }

#define STAT_PATH(name, signature, call)                                       \
  EXPORT int name signature;                                                   \
  EXPORT int name signature {                                                  \
    struct emulator *emulator = bus_at(path);                                  \
    if (emulator != NULL && is_missing(emulator)) return fail(ENOENT);         \
    if (emulator != NULL) {                                                    \
      FILL(status, emulator);                                                  \
      return 0;                                                                \
    }                                                                          \
    NEXT(name);                                                                \
    return next call;                                                          \
  }

STAT_PATH(stat, (const char *restrict path, struct stat *restrict status), (path, status))
STAT_PATH(stat64, (const char *restrict path, struct stat64 *restrict status), (path, status))
STAT_PATH(lstat, (const char *restrict path, struct stat *restrict status), (path, status))
STAT_PATH(lstat64, (const char *restrict path, struct stat64 *restrict status), (path, status))
STAT_PATH(__xstat, (int version, const char *path, struct stat *status), (version, path, status))
STAT_PATH(__xstat64, (int version, const char *path, struct stat64 *status), (version, path, status))
STAT_PATH(__lxstat, (int version, const char *path, struct stat *status), (version, path, status))
STAT_PATH(__lxstat64, (int version, const char *path, struct stat64 *status), (version, path, status))
STAT_PATH(fstatat, (int folder, const char *restrict path, struct stat *restrict status, int flags),
          (folder, path, status, flags))
STAT_PATH(fstatat64, (int folder, const char *restrict path, struct stat64 *restrict status, int flags),
          (folder, path, status, flags))

STAT(fstat, (int descriptor, struct stat *status), bus_at_descriptor(descriptor), (descriptor, status))
STAT(fstat64, (int descriptor, struct stat64 *status), bus_at_descriptor(descriptor), (descriptor, status))
STAT(__fxstat, (int version, int descriptor, struct stat *status), bus_at_descriptor(descriptor),
     (version, descriptor, status))
STAT(__fxstat64, (int version, int descriptor, struct stat64 *status), bus_at_descriptor(descriptor),
     (version, descriptor, status))

static int device_statx(struct emulator *emulator, struct statx *status) {
  mode_t mode;
  gid_t group;
  unsigned minor_number;
  identity(emulator, &mode, &group, &minor_number);
  memset(status, 0, sizeof *status);
  status->stx_mask = STATX_BASIC_STATS;
  status->stx_mode = (uint16_t)mode;
  status->stx_gid = group;
  status->stx_nlink = 1;
  status->stx_blksize = 4096;
  status->stx_rdev_major = I2C_MAJOR;
  status->stx_rdev_minor = minor_number;
  return 0;
}

/* 1 when it was ours, with the answer in result. */
static int answer_statx(int folder, const char *path, int flags, struct statx *status, int *result) {
  int by_descriptor = path != NULL && path[0] == 0 && (flags & AT_EMPTY_PATH);
  struct emulator *emulator = by_descriptor ? bus_at_descriptor(folder) : bus_at(path);
  if (emulator == NULL) return 0;
  *result = !by_descriptor && is_missing(emulator) ? fail(ENOENT) : device_statx(emulator, status);
  return 1;
}

EXPORT int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict status) {
  int result;
  if (answer_statx(folder, path, flags, status, &result)) return result;
  NEXT(statx);
  return next(folder, path, flags, mask, status);
}

/* libuv, and so Node's fs, asks for statx and close by their numbers. */
EXPORT long syscall(long number, ...) {
  long a[6];
  va_list values;
  va_start(values, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(values, long);
  va_end(values);
  int result;
  if (number == SYS_statx && answer_statx((int)a[0], (const char *)a[1], (int)a[2], (struct statx *)a[4], &result)) {
    return result;
  }
  if (number == SYS_close) return close((int)a[0]);
  NEXT(syscall);
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int device_access(struct emulator *emulator, int mode) {
  if (is_missing(emulator)) return fail(ENOENT);
  if (mode & X_OK) return fail(EACCES);
  if (mode != F_OK && file_fault_hits(emulator, FAULT_NO_PERMISSION)) return fail(EACCES);
  return 0;
}

EXPORT int access(const char *path, int mode) {
  struct emulator *emulator = bus_at(path);
  if (emulator != NULL) return device_access(emulator, mode);
  NEXT(access);
  return next(path, mode);
}

EXPORT int faccessat(int folder, const char *path, int mode, int flags) {
  struct emulator *emulator = bus_at(path);
  if (emulator != NULL) return device_access(emulator, mode);
  NEXT(faccessat);
  return next(folder, path, mode, flags);
}
