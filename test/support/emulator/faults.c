/* Faults on command: when one hits, and what it does to a frame. */
#include "emulator.h"

#include <string.h>

const char *const fault_names[FAULT_COUNT] = FAULT_NAMES;

/* splitmix64: small, seedable, good enough for noise. */
uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Whether the fault hits this opportunity. Uses up its count; after the last hit the fault is over. */
int fault_hits(struct sensor *sensor, enum fault fault, int on) {
  struct fault_state *state = &sensor->faults[fault];
  if (!state->active || !(state->on & on)) return 0;
  if (state->skip > 0) {
    state->skip--;
    return 0;
  }
  double drawn = (double)(next_random(&state->random) >> 11) / 9007199254740992.0; /* 2^53 */
  if (drawn >= state->probability) return 0;
  state->hits++;
  if (state->remaining > 0 && --state->remaining == 0) fault_end(sensor, fault);
  return 1;
}

void fault_start(struct sensor *sensor, enum fault fault) {
  sensor->faults[fault].active = 1;
  sensor->faults[fault].generation++;
  if (fault == FAULT_ABSENT) chip_power_off(sensor);
  if (fault == FAULT_NOT_CALIBRATED) sensor->chip.calibrated = sensor->chip.registers_ready = 0;
}

/* Ends a fault: an unplugged sensor is plugged in again, a lost calibration is back. */
void fault_end(struct sensor *sensor, enum fault fault) {
  if (!sensor->faults[fault].active) return;
  sensor->faults[fault].active = 0;
  if (fault == FAULT_ABSENT) chip_power_on(sensor, monotonic_ns());
  if (fault == FAULT_NOT_CALIBRATED) {
    sensor->chip.calibrated = sensor->settings.calibrated_at_power_up;
    sensor->chip.registers_ready = sensor->settings.registers_at_power_up;
  }
}

/* One to three flipped bits, which CRC-8 always shows (its Hamming distance is 4 at this length). */
static void flip_bits(struct fault_state *state, uint8_t *frame, size_t first_byte, size_t count) {
  size_t bits = 8 * (count - first_byte);
  size_t flips = state->option > 0 ? (size_t)state->option : 1 + next_random(&state->random) % 3;
  uint64_t flipped = 0;
  for (size_t done = 0; done < flips && done < bits;) {
    size_t bit = next_random(&state->random) % bits;
    if (flipped & (1ull << bit)) continue;
    flipped |= 1ull << bit;
    frame[first_byte + bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    done++;
  }
}

/* Spoils a frame as the active faults say; answers the fault's name, NULL when the frame is left whole. */
const char *fault_corrupt(struct sensor *sensor, uint8_t *frame, size_t count) {
  static const enum fault stuck[] = {FAULT_ZERO, FAULT_ONES};
  for (size_t i = 0; i < 2; i++) {
    if (!fault_hits(sensor, stuck[i], count >= 6 ? ON_FRAME : ON_STATUS)) continue;
    uint8_t level = stuck[i] == FAULT_ZERO ? 0x00 : 0xFF;
    int data_only = sensor->faults[stuck[i]].option == STUCK_DATA;
    for (size_t byte = data_only ? 1 : 0; byte < count; byte++) frame[byte] = level;
    if (data_only && count >= FRAME_BYTES) frame[6] = crc8(frame, 6);
    return fault_names[stuck[i]];
  }
  if (count < 6) return NULL;
  if (fault_hits(sensor, FAULT_CRC, ON_FRAME)) {
    flip_bits(&sensor->faults[FAULT_CRC], frame, 0, count < FRAME_BYTES ? count : FRAME_BYTES);
    return fault_names[FAULT_CRC];
  }
  if (fault_hits(sensor, FAULT_CRC_VALID, ON_FRAME)) {
    flip_bits(&sensor->faults[FAULT_CRC_VALID], frame, 1, 6);
    if (count >= FRAME_BYTES) frame[6] = crc8(frame, 6);
    return fault_names[FAULT_CRC_VALID];
  }
  return NULL;
}
