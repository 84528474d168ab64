/* What the chip does with what is written to it. */
#define _GNU_SOURCE
#include "emulator.h"

#include <string.h>

#define ALL_REGISTERS 7

/* AC 33 00: the value is that of the moment; a conversion that nobody read takes no sample away. */
static const char *trigger(struct emulator *emulator, struct sensor *sensor, int64_t now) {
  struct chip *chip = &sensor->chip;
  struct conversion *running = &chip->running;
  int frozen = fault_hits(sensor, FAULT_FROZEN, ON_WRITE);
  struct conversion last = chip->result.number > 0 ? chip->result : *running;
  memset(running, 0, sizeof *running);
  if (frozen && last.number > 0) {
    *running = last;
    running->kind = KIND_FROZEN;
  } else {
    value_next(emulator, sensor, running);
    if (!chip->calibrated) {
      running->kind = KIND_UNCALIBRATED;
      memset(running->data, 0, sizeof running->data);
    }
  }
  running->delivered = running->kind != KIND_MEASURED; /* only a measurement takes its sample from the source */
  running->number = ++chip->conversions;
  running->start_ns = now;
  running->end_ns = now + sensor->settings.conversion_ns;
  chip->converting = 1;
  char value[VALUE_TEXT];
  describe(value, running);
  log_line(emulator, "\"event\":\"conversion\",\"startNs\":%lld,\"endNs\":%lld,%s", (long long)running->start_ns,
           (long long)running->end_ns, value);
  chip_settle(chip, now);
  return "trigger";
}

static int init_works(const struct sensor *sensor) {
  const struct fault_state *fault = &sensor->faults[FAULT_NOT_CALIBRATED];
  return !(fault->active && fault->option == INIT_NEVER);
}

/* BE 08 00 or E1 08 00: 10 ms (v1.1 section 5.4). */
static const char *initialise(struct sensor *sensor, int accepted, int64_t now) {
  if (accepted == COMMAND_IGNORED) return "ignored";
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
void register_value(int number, uint8_t *value) {
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
  if (accepted == COMMAND_REFUSED) return 1;
  return (sensor->faults[FAULT_REFUSE_INIT].option & bit) && fault_hits(sensor, FAULT_REFUSE_INIT, ON_WRITE);
}

/* What the command does; NULL: the chip does not acknowledge it. */
static const char *obey(struct emulator *emulator, struct sensor *sensor, const uint8_t *bytes, size_t count) {
  struct chip *chip = &sensor->chip;
  const struct settings *settings = &sensor->settings;
  int64_t now = monotonic_ns();
  chip_settle(chip, now);
  if (count == 0) return "addressed";
  uint8_t command = bytes[0];
  chip->selected_register = 0;
  if (command == 0xBA) { /* soft reset: at most 20 ms (v1.1 section 5.5) */
    if (sensor->faults[FAULT_BUSY].option == BUSY_UNTIL_RESET) fault_end(sensor, FAULT_BUSY);
    chip_restart(sensor, now + settings->reset_ns);
    return "reset";
  }
  if (command == 0xE1 && refused(sensor, settings->accepts_e1, REFUSE_E1)) return NULL;
  int writes_back = chip->read_register != 0 && count == 3 && command == (0xB0 | chip->read_register);
  if (command == 0xBE && !writes_back && refused(sensor, settings->accepts_be, REFUSE_BE)) return NULL;
  if (register_bit(command) && refused(sensor, COMMAND_WORKS, REFUSE_REGISTERS)) return NULL;
  if (chip_is_busy(sensor, now) || fault_hits(sensor, FAULT_BUSY, ON_WRITE)) return "ignored-busy";
  if (writes_back) return write_back(sensor, bytes, now);
  chip->read_register = 0;
  if (command == 0xAC && count == 3 && bytes[1] == 0x33 && bytes[2] == 0x00) return trigger(emulator, sensor, now);
  if (command == 0xE1 && count == 3) return initialise(sensor, settings->accepts_e1, now);
  if (command == 0xBE && count == 3) return initialise(sensor, settings->accepts_be, now);
  if (register_bit(command) && settings->has_registers && count == 3) {
    chip->selected_register = command;
    return "register-selected";
  }
  if (command == 0x71 && settings->busy_after_71) {
    struct fault_state *busy = &sensor->faults[FAULT_BUSY];
    *busy = (struct fault_state){.active = 1, .on = ON_ANY, .probability = 1, .remaining = -1,
                                 .option = settings->busy_after_71, .generation = busy->generation};
    return "busy-for-ever";
  }
  return "ignored";
}

/* 0, or the negative errno of a NACK. */
int chip_write(struct emulator *emulator, struct sensor *sensor, const uint8_t *bytes, size_t count) {
  char text[65];
  const char *effect = obey(emulator, sensor, bytes, count);
  log_line(emulator, "\"event\":\"write\",\"bytes\":\"%s\",\"effect\":\"%s\"", hex(text, bytes, count > 32 ? 32 : count),
           effect == NULL ? "nack" : effect);
  return effect == NULL ? -sensor->settings.nack_errno : 0;
}
