/*
 * The AHT20 as its datasheets describe it: AHT20 v1.1 (2020-04), DHT20 V1.0 (2021-05), the vendor's demo code.
 * Here: power, status, reads; commands.c has the writes.
 * Time is only compared, never waited for: each transfer asks how far the chip has come since the last one.
 */
#define _GNU_SOURCE
#include "emulator.h"

#include <stdio.h>
#include <string.h>

#define STATUS_BUSY 0x80
#define STATUS_CALIBRATED 0x08
#define STATUS_REGISTERS 0x10 /* DHT20 section 7.4: initialise anew if (status & 0x18) != 0x18 */

/* What a conversion and a frame say in the log of the value that they carry. */
void describe(char *text, const struct conversion *value) {
  static const char *const kinds[] = {"measured", "uncalibrated", "frozen"};
  char raw[11];
  int none = value->number == 0;
  snprintf(text, VALUE_TEXT,
           "\"conversion\":%llu,\"kind\":\"%s\",\"series\":%d,\"sample\":%lld,\"row\":%lld,\"raw\":\"%s\","
           "\"temperature\":%.10g,\"humidity\":%.10g",
           (unsigned long long)value->number, none ? "none" : kinds[value->kind], value->series,
           none ? -1LL : (long long)value->sample, none ? -1LL : (long long)value->row, hex(raw, value->data, 5),
           value->temperature, value->humidity);
}

/* Polynomial x^8+x^5+x^4+1, start value FF, over status and data (DHT20 section 7.4). */
uint8_t crc8(const uint8_t *bytes, size_t count) {
  uint8_t crc = 0xFF;
  for (size_t i = 0; i < count; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (uint8_t)(crc & 0x80 ? crc << 1 ^ 0x31 : crc << 1);
  }
  return crc;
}

/* What a power-up and a soft reset have in common. */
void chip_restart(struct sensor *sensor, int64_t ready_ns) {
  struct chip *chip = &sensor->chip;
  int spoiled = sensor->faults[FAULT_NOT_CALIBRATED].active;
  chip->calibrated = sensor->settings.calibrated_at_power_up && !spoiled;
  chip->registers_ready = sensor->settings.registers_at_power_up && !spoiled;
  chip->ready_ns = ready_ns;
  chip->busy_until_ns = 0;
  chip->converting = 0;
  chip->selected_register = chip->read_register = chip->written_registers = 0;
  memset(&chip->result, 0, sizeof chip->result);
}

void chip_power_on(struct sensor *sensor, int64_t now) {
  sensor->chip.powered = 1;
  if (sensor->faults[FAULT_BUSY].option != BUSY_FOR_GOOD) fault_end(sensor, FAULT_BUSY);
  chip_restart(sensor, now + sensor->settings.power_up_ns);
}

void chip_power_off(struct sensor *sensor) {
  sensor->chip.powered = 0;
  sensor->chip.converting = 0;
}

/* Lets a conversion whose time is over end. */
void chip_settle(struct chip *chip, int64_t now) {
  if (!chip->converting || now < chip->running.end_ns) return;
  chip->result = chip->running;
  chip->converting = 0;
}

int chip_is_busy(const struct sensor *sensor, int64_t now) {
  const struct chip *chip = &sensor->chip;
  return chip->converting || now < chip->busy_until_ns;
}

static uint8_t status_byte(struct sensor *sensor, int busy) {
  return (uint8_t)((busy ? STATUS_BUSY : 0) | (sensor->chip.calibrated ? STATUS_CALIBRATED : 0) |
                   (sensor->chip.registers_ready ? STATUS_REGISTERS : 0) | sensor->settings.status_extra);
}

/* The first whole, unspoiled frame of a conversion takes its sample from the source that it came from. */
static int deliver(struct sensor *sensor) {
  struct chip *chip = &sensor->chip;
  if (chip->result.number == 0 || chip->result.delivered) return 0;
  chip->result.delivered = 1;
  if (chip->result.series == sensor->source.series) chip->next_sample = chip->result.sample + 1;
  return 1;
}

static int read_register(struct emulator *emulator, struct sensor *sensor, uint8_t *bytes, size_t count) {
  struct chip *chip = &sensor->chip;
  uint8_t answer[3] = {status_byte(sensor, 0)};
  char text[65];
  register_value(chip->selected_register, answer + 1);
  memset(bytes, 0xFF, count);
  memcpy(bytes, answer, count < 3 ? count : 3);
  chip->read_register = count >= 3 ? chip->selected_register : 0;
  chip->selected_register = 0;
  log_line(emulator, "\"event\":\"register\",\"bytes\":\"%s\"", hex(text, bytes, count > 32 ? 32 : count));
  return 0;
}

static void log_read(struct emulator *emulator, const struct conversion *result, const uint8_t *bytes, size_t count,
                     int busy, int first, const char *fault) {
  char text[65], name[32] = "null", value[VALUE_TEXT];
  hex(text, bytes, count > 32 ? 32 : count);
  if (fault != NULL) snprintf(name, sizeof name, "\"%s\"", fault);
  const char *is_busy = busy ? "true" : "false";
  if (count < 6) {
    log_line(emulator, "\"event\":\"status\",\"bytes\":\"%s\",\"busy\":%s,\"fault\":%s", text, is_busy, name);
    return;
  }
  describe(value, result);
  log_line(emulator, "\"event\":\"frame\",\"bytes\":\"%s\",\"busy\":%s,\"first\":%s,\"fault\":%s,%s", text, is_busy,
           first ? "true" : "false", name, value);
}

int chip_read(struct emulator *emulator, struct sensor *sensor, uint8_t *bytes, size_t count) {
  struct chip *chip = &sensor->chip;
  int64_t now = monotonic_ns();
  chip_settle(chip, now);
  if (count > 0 && chip->selected_register != 0) return read_register(emulator, sensor, bytes, count);
  chip->read_register = 0;
  int stuck = fault_hits(sensor, FAULT_BUSY, count >= 6 ? ON_FRAME : ON_STATUS);
  int busy = chip_is_busy(sensor, now) || stuck;
  uint8_t frame[FRAME_BYTES] = {status_byte(sensor, busy)};
  memcpy(frame + 1, chip->result.data, 5);
  frame[6] = sensor->settings.has_crc ? crc8(frame, 6) : sensor->settings.repeat_seventh ? frame[5] : 0xFF;
  memset(bytes, 0xFF, count); /* nobody drives the line after the frame */
  memcpy(bytes, frame, count < FRAME_BYTES ? count : FRAME_BYTES);
  const char *fault = fault_corrupt(sensor, bytes, count);
  if (fault == NULL && stuck) fault = fault_names[FAULT_BUSY];
  int first = count >= 6 && !busy && fault == NULL && deliver(sensor);
  log_read(emulator, &chip->result, bytes, count, busy, first, fault);
  return 0;
}
