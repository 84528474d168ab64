/* What the room is like: a constant, the rows of a file, a sine with noise, or 40 bits as given. */
#define _GNU_SOURCE
#include "emulator.h"

#include <fcntl.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#define FULL_SCALE 1048576.0 /* 2^20: both values are 20-bit fractions (DHT20 V1.0 section 8) */

/* Maps the rows anew when the control tool has set others: pairs of doubles, temperature and humidity. */
static void map_rows(struct emulator *emulator, const struct source_state *source) {
  if (emulator->rows_generation == source->rows_generation) return;
  if (emulator->rows != NULL) munmap((void *)emulator->rows, (size_t)emulator->row_count * 2 * sizeof(double));
  emulator->rows = NULL;
  emulator->row_count = 0;
  emulator->rows_generation = source->rows_generation;
  int descriptor = open(source->rows_path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  off_t size = lseek(descriptor, 0, SEEK_END);
  void *rows = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, descriptor, 0) : MAP_FAILED;
  close(descriptor);
  if (rows == MAP_FAILED) return;
  emulator->rows = rows;
  emulator->row_count = size / (off_t)(2 * sizeof(double));
}

/* The same sample always has the same noise: -1..1. */
static double noise(const struct source_state *source, int64_t sample, uint64_t salt) {
  uint64_t state = source->seed ^ ((uint64_t)sample * 2 + salt) * 0xD1342543DE82EF95u;
  return (double)(next_random(&state) >> 11) / 4503599627370496.0 - 1.0; /* 2^52 */
}

static uint32_t quantise(double fraction) {
  double steps = floor(fraction * FULL_SCALE + 0.5);
  if (steps < 0) return 0;
  return steps > FULL_SCALE - 1 ? (uint32_t)FULL_SCALE - 1 : (uint32_t)steps;
}

static void encode(struct conversion *conversion) {
  uint32_t humidity = quantise(conversion->humidity / 100.0);
  uint32_t temperature = quantise((conversion->temperature + 50.0) / 200.0);
  conversion->data[0] = (uint8_t)(humidity >> 12);
  conversion->data[1] = (uint8_t)(humidity >> 4);
  conversion->data[2] = (uint8_t)((humidity & 0xF) << 4 | temperature >> 16);
  conversion->data[3] = (uint8_t)(temperature >> 8);
  conversion->data[4] = (uint8_t)temperature;
}

static void decode(struct conversion *conversion) {
  const uint8_t *data = conversion->data;
  uint32_t humidity = (uint32_t)data[0] << 12 | (uint32_t)data[1] << 4 | data[2] >> 4;
  uint32_t temperature = (uint32_t)(data[2] & 0xF) << 16 | (uint32_t)data[3] << 8 | data[4];
  conversion->humidity = humidity / FULL_SCALE * 100.0;
  conversion->temperature = temperature / FULL_SCALE * 200.0 - 50.0;
}

/* Fills in the value of the sample that is next. */
void value_next(struct emulator *emulator, struct sensor *sensor, struct conversion *conversion) {
  const struct source_state *source = &sensor->source;
  int64_t sample = sensor->chip.next_sample;
  conversion->series = source->series;
  conversion->sample = sample;
  conversion->row = -1;
  conversion->temperature = source->temperature;
  conversion->humidity = source->humidity;
  if (source->kind == SOURCE_RAW) {
    for (int i = 0; i < 5; i++) conversion->data[i] = source->raw[i];
    decode(conversion);
    return;
  }
  if (source->kind == SOURCE_SINE) {
    double angle = 2 * M_PI * (double)(sample % source->period) / (double)source->period;
    conversion->temperature += source->temperature_swing * sin(angle) + source->noise * noise(source, sample, 0);
    conversion->humidity += source->humidity_swing * cos(angle) + source->noise * noise(source, sample, 1);
  }
  if (source->kind == SOURCE_ROWS) {
    map_rows(emulator, source);
    if (emulator->row_count > 0) {
      int64_t last = emulator->row_count - 1;
      conversion->row = source->wrap ? sample % emulator->row_count : sample < last ? sample : last;
      conversion->temperature = emulator->rows[2 * conversion->row];
      conversion->humidity = emulator->rows[2 * conversion->row + 1];
    }
  }
  encode(conversion);
}
