/*
 * The AHT20 as its datasheets describe it: AHT20 v1.1 (2020-04), DHT20 V1.0 (2021-05), the vendor's demo code.
 * Time is only compared, never waited for: each transfer asks how far the chip has come since the last one.
 */
#define _GNU_SOURCE
#include "emulator.h"

#include <errno.h>
#include <string.h>

#define STATUS_BUSY 0x80
#define STATUS_CALIBRATED 0x08
#define STATUS_REGISTERS 0x10 /* DHT20 section 7.4: initialise anew if (status & 0x18) != 0x18 */
#define ALL_REGISTERS 7

enum { KIND_MEASURED, KIND_UNCALIBRATED, KIND_FROZEN };
static const char *const kind_names[] = {"measured", "uncalibrated", "frozen"};

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
static void restart(struct sensor *sensor, int64_t ready_ns) {
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
  sensor->chip.busy_stuck = 0;
  restart(sensor, now + sensor->settings.power_up_ns);
}

void chip_power_off(struct sensor *sensor) {
  sensor->chip.powered = 0;
  sensor->chip.converting = 0;
}

/* Lets a conversion whose time is over end. */
static void settle(struct chip *chip, int64_t now) {
  if (!chip->converting || now < chip->running.end_ns) return;
  chip->result = chip->running;
  chip->converting = 0;
}

static int is_busy(struct sensor *sensor, int64_t now) {
  struct chip *chip = &sensor->chip;
  return chip->busy_stuck || chip->converting || now < chip->busy_until_ns;
}

static uint8_t status_byte(struct sensor *sensor, int busy) {
  return (uint8_t)((busy ? STATUS_BUSY : 0) | (sensor->chip.calibrated ? STATUS_CALIBRATED : 0) |
                   (sensor->chip.registers_ready ? STATUS_REGISTERS : 0) | sensor->settings.status_extra);
}

/* AC 33 00: the value is that of the moment; a conversion that nobody read takes no sample away. */
static const char *trigger(struct emulator *emulator, struct sensor *sensor, int64_t now) {
  struct chip *chip = &sensor->chip;
  struct conversion *running = &chip->running;
  int frozen = fault_hits(sensor, FAULT_FROZEN, ON_WRITE);
  struct conversion last = chip->result.number > 0 ? chip->result : *running;
  memset(running, 0, sizeof *running);
  running->number = ++chip->conversions;
  running->start_ns = now;
  running->end_ns = now + sensor->settings.conversion_ns;
  if (frozen && last.number > 0) {
    uint64_t number = running->number;
    int64_t start_ns = running->start_ns, end_ns = running->end_ns;
    *running = last;
    running->number = number;
    running->start_ns = start_ns;
    running->end_ns = end_ns;
    running->kind = KIND_FROZEN;
    running->delivered = 1; /* it takes no sample from the source */
  } else {
    value_next(emulator, sensor, running);
    if (!chip->calibrated) {
      running->kind = KIND_UNCALIBRATED;
      running->delivered = 1;
      memset(running->data, 0, sizeof running->data);
    }
  }
  chip->converting = 1;
  char raw[11];
  log_line(emulator,
           "\"event\":\"conversion\",\"conversion\":%llu,\"startNs\":%lld,\"endNs\":%lld,\"kind\":\"%s\","
           "\"sample\":%lld,\"row\":%lld,\"raw\":\"%s\",\"temperature\":%.10g,\"humidity\":%.10g",
           (unsigned long long)running->number, (long long)running->start_ns, (long long)running->end_ns,
           kind_names[running->kind], (long long)running->sample, (long long)running->row, hex(raw, running->data, 5),
           running->temperature, running->humidity);
  settle(chip, now);
  return "trigger";
}

static int init_works(const struct sensor *sensor) {
  const struct fault_state *fault = &sensor->faults[FAULT_NOT_CALIBRATED];
  return !(fault->active && fault->option == INIT_NEVER);
}

/* BE 08 00 or E1 08 00: 10 ms (v1.1 section 5.4). */
static const char *initialise(struct sensor *sensor, int64_t now) {
  sensor->chip.busy_until_ns = now + sensor->settings.init_ns;
  if (!init_works(sensor)) return "init-without-effect";
  sensor->chip.calibrated = 1;
  sensor->chip.registers_ready = sensor->settings.registers_at_power_up || sensor->chip.registers_ready;
  return "init";
}

static int register_bit(int number) {
  return number == 0x1B ? 1 : number == 0x1C ? 2 : number == 0x1E ? 4 : 0;
}

/* What register 1B, 1C or 1E holds: byte 1 and 2 of its answer, to be written back as they are. */
static void register_value(int number, uint8_t *value) {
  value[0] = (uint8_t)(0x40 + number);
  value[1] = (uint8_t)(0x80 ^ number * 5);
}

/* [B0|reg, b1, b2]: the end of the register routine for one register (vendor's demo code, JH_Reset_REG). */
static const char *write_back(struct sensor *sensor, const uint8_t *bytes, int64_t now) {
  struct chip *chip = &sensor->chip;
  uint8_t value[2];
  register_value(chip->read_register, value);
  int right = bytes[1] == value[0] && bytes[2] == value[1];
  if (right) chip->written_registers |= register_bit(chip->read_register);
  chip->read_register = 0;
  if (!right) return "register-wrong-value";
  if (chip->written_registers != ALL_REGISTERS) return "register-written";
  chip->written_registers = 0;
  chip->busy_until_ns = now + sensor->settings.init_ns;
  if (!init_works(sensor)) return "registers-without-effect";
  chip->calibrated = chip->registers_ready = 1;
  return "registers-done";
}

static int refused(struct sensor *sensor, int accepted, int bit) {
  if (!accepted) return 1;
  return (sensor->faults[FAULT_REFUSE_INIT].option & bit) && fault_hits(sensor, FAULT_REFUSE_INIT, ON_WRITE);
}

/* What the command does; NULL: the chip does not acknowledge it. */
static const char *obey(struct emulator *emulator, struct sensor *sensor, const uint8_t *bytes, size_t count) {
  struct chip *chip = &sensor->chip;
  const struct settings *settings = &sensor->settings;
  int64_t now = monotonic_ns();
  settle(chip, now);
  if (count == 0) return "addressed";
  uint8_t command = bytes[0];
  chip->selected_register = 0;
  if (command == 0xBA) { /* soft reset: at most 20 ms (v1.1 section 5.5) */
    struct fault_state *busy = &sensor->faults[FAULT_BUSY];
    if (busy->active && busy->option == BUSY_UNTIL_RESET) fault_end(sensor, FAULT_BUSY);
    chip->busy_stuck = 0;
    restart(sensor, now + settings->reset_ns);
    return "reset";
  }
  if (command == 0xE1 && refused(sensor, settings->accepts_e1, REFUSE_E1)) return NULL;
  int writes_back = chip->read_register != 0 && count == 3 && command == (0xB0 | chip->read_register);
  if (command == 0xBE && !writes_back && refused(sensor, settings->accepts_be, REFUSE_BE)) return NULL;
  if (register_bit(command) && refused(sensor, 1, REFUSE_REGISTERS)) return NULL;
  if (is_busy(sensor, now) || sensor->faults[FAULT_BUSY].active) return "ignored-busy";
  if (writes_back) return write_back(sensor, bytes, now);
  chip->read_register = 0;
  if (command == 0xAC && count == 3 && bytes[1] == 0x33 && bytes[2] == 0x00) return trigger(emulator, sensor, now);
  if ((command == 0xE1 || command == 0xBE) && count == 3) return initialise(sensor, now);
  if (register_bit(command) && settings->has_registers && count == 3) {
    chip->selected_register = command;
    return "register-selected";
  }
  if (command == 0x71 && settings->busy_after_71) {
    chip->busy_stuck = 1;
    return "busy-for-ever";
  }
  return "ignored";
}

int chip_write(struct emulator *emulator, struct sensor *sensor, const uint8_t *bytes, size_t count) {
  char text[65];
  const char *effect = obey(emulator, sensor, bytes, count);
  log_line(emulator, "\"event\":\"write\",\"bytes\":\"%s\",\"effect\":\"%s\"", hex(text, bytes, count > 32 ? 32 : count),
           effect == NULL ? "nack" : effect);
  return effect == NULL ? -sensor->settings.nack_errno : 0;
}

/* The first whole, unspoiled frame of a conversion takes its sample from the source. */
static int deliver(struct chip *chip) {
  if (chip->result.number == 0 || chip->result.delivered) return 0;
  chip->result.delivered = 1;
  chip->next_sample = chip->result.sample + 1;
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

int chip_read(struct emulator *emulator, struct sensor *sensor, uint8_t *bytes, size_t count) {
  struct chip *chip = &sensor->chip;
  int64_t now = monotonic_ns();
  settle(chip, now);
  if (count > 0 && chip->selected_register != 0) return read_register(emulator, sensor, bytes, count);
  chip->read_register = 0;
  int stuck = fault_hits(sensor, FAULT_BUSY, count >= 6 ? ON_FRAME : ON_STATUS);
  int busy = is_busy(sensor, now) || stuck;
  uint8_t frame[FRAME_BYTES] = {status_byte(sensor, busy)};
  memcpy(frame + 1, chip->result.data, 5);
  frame[6] = sensor->settings.has_crc ? crc8(frame, 6) : sensor->settings.repeat_seventh ? frame[5] : 0xFF;
  memset(bytes, 0xFF, count); /* nobody drives the line after the frame */
  memcpy(bytes, frame, count < FRAME_BYTES ? count : FRAME_BYTES);
  const char *fault = fault_corrupt(sensor, bytes, count);
  if (fault == NULL && stuck) fault = fault_names[FAULT_BUSY];
  char text[65], raw[11];
  hex(text, bytes, count > 32 ? 32 : count);
  if (count < 6) {
    log_line(emulator, "\"event\":\"status\",\"bytes\":\"%s\",\"busy\":%s,\"fault\":%s%s%s", text,
             busy ? "true" : "false", fault ? "\"" : "", fault ? fault : "null", fault ? "\"" : "");
    return 0;
  }
  const struct conversion *result = &chip->result;
  int first = !busy && fault == NULL && deliver(chip);
  log_line(emulator,
           "\"event\":\"frame\",\"bytes\":\"%s\",\"busy\":%s,\"first\":%s,\"fault\":%s%s%s,\"conversion\":%llu,"
           "\"kind\":\"%s\",\"sample\":%lld,\"row\":%lld,\"raw\":\"%s\",\"temperature\":%.10g,\"humidity\":%.10g",
           text, busy ? "true" : "false", first ? "true" : "false", fault ? "\"" : "", fault ? fault : "null",
           fault ? "\"" : "", (unsigned long long)result->number, result->number ? kind_names[result->kind] : "none",
           (long long)result->sample, (long long)result->row, hex(raw, result->data, 5), result->temperature,
           result->humidity);
  return 0;
}
