/* What the two halves of the preloaded library share: transfers (preload.c) and file status (stat.c). */
#ifndef TECHTEMP_EMULATOR_PRELOAD_H
#define TECHTEMP_EMULATOR_PRELOAD_H

#include "emulator.h"

#include <dlfcn.h>

#define EXPORT __attribute__((visibility("default")))

/* The next definition in line, the C library's. */
#define NEXT(name)                                                             \
  static __typeof__(&name) next;                                               \
  if (next == NULL) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* The emulator that answers for this path or this open descriptor; NULL: not ours. */
struct emulator *bus_at(const char *path);
struct emulator *bus_at_descriptor(int descriptor);

/* Whether this fault of the device file hits now. */
int file_fault_hits(struct emulator *emulator, enum fault fault);

#endif
