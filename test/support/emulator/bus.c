/* The adapter: one transfer at a time, addressing, and the faults that live on the wires. */
#include "emulator.h"

#include <errno.h>
#include <string.h>

#define HANG_POLL_NS 1000000

static int kind_of(const struct message *message) {
  if (!message->is_read) return ON_WRITE;
  return message->count >= 6 ? ON_FRAME : ON_STATUS;
}

static void log_wire(struct emulator *emulator, const struct message *message, const char *fault) {
  char text[65] = "";
  if (!message->is_read) hex(text, message->bytes, message->count > 32 ? 32 : message->count);
  log_line(emulator, "\"event\":\"wire\",\"fault\":\"%s\",\"address\":%u,\"direction\":\"%s\",\"count\":%zu,\"bytes\":\"%s\"",
           fault, message->address, message->is_read ? "read" : "write", message->count, text);
}

/* Waits, the bus held, until the hang that hit this transfer is cleared or set anew. */
static void wait_for_release(struct emulator *emulator, uint64_t generation) {
  for (;;) {
    struct sensor *sensor = state_begin(emulator);
    int over = sensor->faults[FAULT_HANG].generation != generation;
    state_abandon(emulator);
    if (over) return;
    sleep_ns(HANG_POLL_NS);
  }
}

static int answer_as_other_device(struct emulator *emulator, const struct sensor *sensor, struct message *message) {
  const struct fault_state *fault = &sensor->faults[FAULT_OTHER_DEVICE];
  for (size_t i = 0; message->is_read && i < message->count; i++) {
    message->bytes[i] = fault->byte_count > 0 ? fault->bytes[i % (size_t)fault->byte_count] : 0x55;
  }
  log_wire(emulator, message, fault_names[FAULT_OTHER_DEVICE]);
  return 0;
}

/* What the sensor answers, the wires being in order. */
static int address_sensor(struct emulator *emulator, struct sensor *sensor, struct message *message) {
  int on = kind_of(message), nack = -sensor->settings.nack_errno;
  if (message->address != (unsigned)sensor->settings.address) return nack;
  if (fault_hits(sensor, FAULT_ABSENT, on)) {
    log_wire(emulator, message, fault_names[FAULT_ABSENT]);
    return nack;
  }
  if (fault_hits(sensor, FAULT_OTHER_DEVICE, on)) return answer_as_other_device(emulator, sensor, message);
  if (fault_hits(sensor, FAULT_NACK, on)) {
    log_wire(emulator, message, fault_names[FAULT_NACK]);
    return nack;
  }
  if (!sensor->chip.powered || monotonic_ns() < sensor->chip.ready_ns) {
    log_wire(emulator, message, sensor->chip.powered ? "not-ready" : "no-power");
    return nack;
  }
  if (message->is_read) return chip_read(emulator, sensor, message->bytes, message->count);
  return chip_write(emulator, sensor, message->bytes, message->count);
}

static int transfer_one(struct emulator *emulator, struct message *message) {
  struct sensor *sensor = state_begin(emulator);
  int64_t bit_rate = sensor->settings.bit_rate;
  uint64_t generation = sensor->faults[FAULT_HANG].generation;
  if (fault_hits(sensor, FAULT_HANG, kind_of(message))) {
    log_wire(emulator, message, fault_names[FAULT_HANG]);
    state_commit(emulator);
    wait_for_release(emulator, generation);
    sensor = state_begin(emulator);
  }
  if (fault_hits(sensor, FAULT_TIMEOUT, kind_of(message))) {
    int64_t hold_ns = sensor->faults[FAULT_TIMEOUT].ms * 1000000;
    log_wire(emulator, message, fault_names[FAULT_TIMEOUT]);
    state_commit(emulator);
    sleep_ns(hold_ns);
    return -ETIMEDOUT;
  }
  int result = address_sensor(emulator, sensor, message);
  state_commit(emulator);
  /* Each byte and the address are 9 bits on the wire. */
  if (bit_rate > 0) sleep_ns((int64_t)(message->count + 1) * 9 * 1000000000 / bit_rate);
  return result;
}

/* Carries out the messages as one transaction: 0, or the negative errno of the first that failed. */
int bus_transfer(struct emulator *emulator, struct message *messages, int count) {
  int result = 0;
  lock_robust(&emulator->shared->bus_lock);
  for (int i = 0; i < count && result == 0; i++) result = transfer_one(emulator, &messages[i]);
  pthread_mutex_unlock(&emulator->shared->bus_lock);
  return result;
}
