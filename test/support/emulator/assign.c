/* The control tool's name=value pairs, put where they belong. */
#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const source_names[] = SOURCE_NAMES;

double parse_number(const char *text) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end != 0) die("not a number", text);
  return value;
}

/* Words that stand for a number wherever an option is asked for. */
static int64_t option(const char *text) {
  static const struct {
    const char *word;
    int64_t value;
  } words[] = {{"true", 1}, {"false", 0}, {"reset", BUSY_UNTIL_RESET},
               {"power-cycle", BUSY_UNTIL_POWER_CYCLE}, {"for-good", BUSY_FOR_GOOD}, {"ignored", COMMAND_IGNORED},
               {"works", INIT_WORKS}, {"never", INIT_NEVER}, {"e1", REFUSE_E1}, {"be", REFUSE_BE},
               {"both", REFUSE_E1 | REFUSE_BE}, {"all", REFUSE_E1 | REFUSE_BE | REFUSE_REGISTERS},
               {"bus", STUCK_BUS}, {"data", STUCK_DATA}, {"EREMOTEIO", EREMOTEIO}, {"ENXIO", ENXIO}, {"EIO", EIO},
               {"write", ON_WRITE}, {"status", ON_STATUS}, {"frame", ON_FRAME}, {"read", ON_STATUS | ON_FRAME},
               {"any", ON_ANY}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strcmp(text, words[i].word) == 0) return words[i].value;
  }
  return (int64_t)parse_number(text);
}

static int32_t parse_bytes(const char *text, uint8_t *bytes, size_t limit) {
  size_t count = strlen(text) / 2;
  if (count > limit || strlen(text) % 2 != 0) die("wrong number of hex digits", text);
  for (size_t i = 0; i < count; i++) {
    unsigned byte;
    if (sscanf(text + 2 * i, "%2x", &byte) != 1) die("not hex", text);
    bytes[i] = (uint8_t)byte;
  }
  return (int32_t)count;
}

void set_setting(struct sensor *sensor, const char *name, const char *value) {
  struct settings *s = &sensor->settings;
  const struct {
    const char *name;
    int32_t *field;
  } flags[] = {{"address", &s->address}, {"nackErrno", &s->nack_errno},
               {"calibratedAtPowerUp", &s->calibrated_at_power_up}, {"registersAtPowerUp", &s->registers_at_power_up},
               {"statusExtra", &s->status_extra}, {"acceptsE1", &s->accepts_e1}, {"acceptsBe", &s->accepts_be},
               {"hasRegisters", &s->has_registers}, {"hasCrc", &s->has_crc}, {"busyAfter71", &s->busy_after_71},
               {"repeatSeventh", &s->repeat_seventh}, {"deviceGid", &s->gid}, {"deviceMode", &s->mode}};
  const struct {
    const char *name;
    int64_t *field;
  } times[] = {{"powerUpMs", &s->power_up_ns}, {"conversionMs", &s->conversion_ns}, {"initMs", &s->init_ns},
               {"resetMs", &s->reset_ns}};
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    if (strcmp(name, flags[i].name) == 0) {
      *flags[i].field = (int32_t)option(value);
      return;
    }
  }
  for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
    if (strcmp(name, times[i].name) == 0) {
      *times[i].field = (int64_t)(parse_number(value) * 1e6);
      return;
    }
  }
  if (strcmp(name, "bitRate") != 0) die("no such setting", name);
  s->bit_rate = (int64_t)parse_number(value);
}

void set_source(struct sensor *sensor, const char *name, const char *value) {
  struct source_state *s = &sensor->source;
  if (strcmp(name, "kind") == 0) {
    s->kind = -1;
    for (int i = 0; i < 4; i++) {
      if (strcmp(value, source_names[i]) == 0) s->kind = i;
    }
    if (s->kind < 0) die("no such source", value);
  } else if (strcmp(name, "temperature") == 0) s->temperature = parse_number(value);
  else if (strcmp(name, "humidity") == 0) s->humidity = parse_number(value);
  else if (strcmp(name, "temperatureSwing") == 0) s->temperature_swing = parse_number(value);
  else if (strcmp(name, "humiditySwing") == 0) s->humidity_swing = parse_number(value);
  else if (strcmp(name, "noise") == 0) s->noise = parse_number(value);
  else if (strcmp(name, "period") == 0) s->period = parse_number(value) < 1 ? 1 : (int64_t)parse_number(value);
  else if (strcmp(name, "seed") == 0) s->seed = (uint64_t)parse_number(value);
  else if (strcmp(name, "wrap") == 0) s->wrap = (int32_t)option(value);
  else if (strcmp(name, "sample") == 0) sensor->chip.next_sample = (int64_t)parse_number(value);
  else if (strcmp(name, "bytes") == 0) {
    if (parse_bytes(value, s->raw, sizeof s->raw) != sizeof s->raw) die("raw needs ten hex digits", value);
  } else if (strcmp(name, "rows") == 0) {
    snprintf(s->rows_path, sizeof s->rows_path, "%s", value);
    s->rows_generation++;
  } else die("no such part of a source", name);
}

void set_fault(struct fault_state *fault, const char *name, const char *value) {
  if (strcmp(name, "probability") == 0) fault->probability = parse_number(value);
  else if (strcmp(name, "count") == 0) fault->remaining = (int64_t)parse_number(value);
  else if (strcmp(name, "skip") == 0) fault->skip = (int64_t)parse_number(value);
  else if (strcmp(name, "seed") == 0) fault->random = (uint64_t)parse_number(value);
  else if (strcmp(name, "ms") == 0) fault->ms = (int64_t)parse_number(value);
  else if (strcmp(name, "on") == 0) fault->on = (int32_t)option(value);
  else if (strcmp(name, "option") == 0) fault->option = option(value);
  else if (strcmp(name, "bytes") == 0) fault->byte_count = parse_bytes(value, fault->bytes, sizeof fault->bytes);
  else die("no such part of a fault", name);
}
