/* The mapped state: locks that survive a killed owner, two copies so that no change is ever half made, the log. */
#define _GNU_SOURCE
#include "emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_ns(int64_t ns) {
  struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  while (ns > 0 && nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

/* Takes the lock also from a dead owner: what it guards is never half changed. */
void lock_robust(pthread_mutex_t *mutex) {
  int error = pthread_mutex_lock(mutex);
  if (error == EOWNERDEAD) error = pthread_mutex_consistent(mutex);
  if (error == 0) return;
  fprintf(stderr, "techtemp emulator: lock: %s\n", strerror(error));
  abort();
}

struct emulator *emulator_map(const char *path) {
  int descriptor = open(path, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return NULL;
  struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  off_t size = lseek(descriptor, 0, SEEK_END);
  close(descriptor);
  if (shared == MAP_FAILED) return NULL;
  if (size != sizeof *shared || shared->magic != EMULATOR_MAGIC || shared->size != sizeof *shared) {
    munmap(shared, sizeof *shared);
    errno = EINVAL;
    return NULL;
  }
  struct emulator *emulator = calloc(1, sizeof *emulator);
  if (emulator == NULL) return NULL;
  emulator->shared = shared;
  emulator->log_descriptor = -1;
  return emulator;
}

/* Locks, and gives a copy to change. */
struct sensor *state_begin(struct emulator *emulator) {
  struct shared *shared = emulator->shared;
  lock_robust(&shared->state_lock);
  uint32_t current = atomic_load(&shared->current) & 1;
  shared->copies[current ^ 1] = shared->copies[current];
  return &shared->copies[current ^ 1];
}

/* Makes the changed copy the truth, and unlocks. */
void state_commit(struct emulator *emulator) {
  atomic_fetch_xor(&emulator->shared->current, 1);
  pthread_mutex_unlock(&emulator->shared->state_lock);
}

/* Unlocks without a change. */
void state_abandon(struct emulator *emulator) { pthread_mutex_unlock(&emulator->shared->state_lock); }

/*
 * Appends one JSON line in one write: whole or absent, whatever is killed. Call it with the state lock held, so that
 * the lines are in the order of what they tell, and before the commit: what was given is in the log even if its
 * receiver dies at this instant.
 */
void log_line(struct emulator *emulator, const char *format, ...) {
  char line[1024];
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  int length = snprintf(line, sizeof line, "{\"ns\":%lld,\"unixMs\":%lld,\"pid\":%d,", (long long)monotonic_ns(),
                        (long long)wall.tv_sec * 1000 + wall.tv_nsec / 1000000, (int)getpid());
  va_list values;
  va_start(values, format);
  length += vsnprintf(line + length, sizeof line - (size_t)length - 2, format, values);
  va_end(values);
  if (length > (int)sizeof line - 3) length = (int)sizeof line - 3;
  line[length++] = '}';
  line[length++] = '\n';
  if (emulator->log_descriptor < 0) {
    emulator->log_descriptor = open(emulator->shared->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  }
  if (write(emulator->log_descriptor, line, (size_t)length) != length) {
    static const char complaint[] = "techtemp emulator: cannot write its log\n";
    if (write(STDERR_FILENO, complaint, sizeof complaint - 1) < 0) abort();
  }
}

const char *hex(char *out, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) sprintf(out + 2 * i, "%02X", bytes[i]);
  out[2 * count] = 0;
  return out;
}
