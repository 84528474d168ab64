/*
 * The control tool: emulator-control STATE COMMAND [name=value]...
 * Each call takes the state lock, changes the sensor, logs what it did; the next transfer sees it. See README.md.
 */
#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void die(const char *problem, const char *value) {
  fprintf(stderr, "emulator-control: %s: %s\n", problem, value);
  exit(2);
}

static enum fault fault_named(const char *name) {
  for (int i = 0; i < FAULT_COUNT; i++) {
    if (strcmp(name, fault_names[i]) == 0) return (enum fault)i;
  }
  die("no such fault", name);
}

static void clear(struct sensor *sensor, enum fault fault) {
  sensor->faults[fault].generation++;
  fault_end(sensor, fault);
}

/* Makes the call for each name=value of the arguments. */
#define EACH_PAIR(arguments, call)                                             \
  for (char **argument = (arguments); *argument != NULL; argument++) {         \
    char name[64];                                                             \
    const char *value = strchr(*argument, '=');                                \
    if (value == NULL || value - *argument > 63) die("not name=value", *argument); \
    snprintf(name, sizeof name, "%.*s", (int)(value - *argument), *argument);  \
    value++;                                                                   \
    call;                                                                      \
  }

static void start_fault(struct sensor *sensor, char **arguments) {
  if (arguments[0] == NULL) die("which fault?", "fault");
  enum fault fault = fault_named(arguments[0]);
  struct fault_state *state = &sensor->faults[fault];
  uint64_t generation = state->generation;
  memset(state, 0, sizeof *state);
  state->generation = generation;
  state->probability = 1;
  state->remaining = -1;
  state->on = ON_ANY;
  state->random = 1;
  state->ms = 1000;
  /* Zeros and ones are frames unless asked for; refusing means the older inits. */
  if (fault == FAULT_ZERO || fault == FAULT_ONES) state->on = ON_FRAME;
  if (fault == FAULT_REFUSE_INIT) state->option = REFUSE_E1;
  if (fault == FAULT_BUSY) state->option = BUSY_FOR_GOOD;
  EACH_PAIR(arguments + 1, set_fault(state, name, value))
  fault_start(sensor, fault);
}

/* The command; 0 when there is no such. */
static int run(struct sensor *sensor, const char *command, char **arguments) {
  if (strcmp(command, "set") == 0) {
    EACH_PAIR(arguments, set_setting(sensor, name, value))
  } else if (strcmp(command, "source") == 0) {
    sensor->source.series++;
    EACH_PAIR(arguments, set_source(sensor, name, value))
  } else if (strcmp(command, "fault") == 0) {
    start_fault(sensor, arguments);
  } else if (strcmp(command, "clear") == 0) {
    for (int i = 0; arguments[0] == NULL && i < FAULT_COUNT; i++) clear(sensor, (enum fault)i);
    for (char **name = arguments; *name != NULL; name++) clear(sensor, fault_named(*name));
  } else if (strcmp(command, "power-cycle") == 0) {
    chip_power_off(sensor);
    chip_power_on(sensor, monotonic_ns());
  } else if (strcmp(command, "warm") == 0) { /* as if it had been switched on long ago */
    chip_power_on(sensor, monotonic_ns() - sensor->settings.power_up_ns);
  } else {
    return 0;
  }
  return 1;
}

static void print_state(const struct sensor *sensor) {
  const struct chip *chip = &sensor->chip;
  printf("{\"conversions\":%llu,\"nextSample\":%lld,\"calibrated\":%s,\"powered\":%s,\"faults\":{",
         (unsigned long long)chip->conversions, (long long)chip->next_sample, chip->calibrated ? "true" : "false",
         chip->powered ? "true" : "false");
  for (int i = 0, any = 0; i < FAULT_COUNT; i++) {
    const struct fault_state *fault = &sensor->faults[i];
    if (!fault->active && fault->hits == 0) continue;
    printf("%s\"%s\":{\"active\":%s,\"hits\":%llu}", any++ ? "," : "", fault_names[i],
           fault->active ? "true" : "false", (unsigned long long)fault->hits);
  }
  printf("}}\n");
}

static void lock_init(pthread_mutex_t *mutex) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &kind);
}

/* create BUS: makes STATE, STATE.log and STATE.node; a healthy AHT20 that was switched on long ago. */
static void create(const char *path, const char *bus) {
  static struct shared shared;
  shared.magic = EMULATOR_MAGIC;
  shared.size = sizeof shared;
  shared.bus = (int32_t)parse_number(bus);
  if (strlen(path) > PATH_BYTES - 6) die("path too long", path);
  snprintf(shared.log_path, sizeof shared.log_path, "%s.log", path);
  snprintf(shared.node_path, sizeof shared.node_path, "%s.node", path);
  int node = open(shared.node_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  struct stat status;
  if (node < 0 || fstat(node, &status) != 0) die(strerror(errno), shared.node_path);
  shared.node_inode = status.st_ino;
  lock_init(&shared.bus_lock);
  lock_init(&shared.state_lock);
  struct sensor *sensor = &shared.copies[0];
  sensor->settings = (struct settings){.address = 0x38, .nack_errno = EREMOTEIO, .calibrated_at_power_up = 1,
                                       .registers_at_power_up = 1, .accepts_e1 = COMMAND_WORKS,
                                       .accepts_be = COMMAND_WORKS,
                                       .has_registers = 1, .has_crc = 1, .mode = 0660,
                                       .power_up_ns = 40000000, .conversion_ns = 75000000, .init_ns = 10000000,
                                       .reset_ns = 20000000};
  sensor->source = (struct source_state){.kind = SOURCE_CONSTANT, .temperature = 21.5, .humidity = 45, .period = 100};
  chip_power_on(sensor, monotonic_ns() - sensor->settings.power_up_ns);
  int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0 || write(file, &shared, sizeof shared) != sizeof shared) die(strerror(errno), path);
}

int main(int count, char **arguments) {
  if (count < 3) die("usage", "emulator-control STATE create BUS | set | source | fault | clear | power-cycle | warm | state");
  if (strcmp(arguments[2], "create") == 0) {
    create(arguments[1], count > 3 ? arguments[3] : "1");
    return 0;
  }
  struct emulator *emulator = emulator_map(arguments[1]);
  if (emulator == NULL) die(strerror(errno), arguments[1]);
  struct sensor *sensor = state_begin(emulator);
  if (strcmp(arguments[2], "state") == 0) {
    print_state(sensor);
    state_abandon(emulator);
    return 0;
  }
  if (!run(sensor, arguments[2], arguments + 3)) die("no such command", arguments[2]);
  log_line(emulator, "\"event\":\"control\",\"command\":\"%s %s\"", arguments[2], count > 3 ? arguments[3] : "");
  state_commit(emulator);
  return 0;
}
