/*
 * The emulated I2C bus: what its clients (the preloaded library) and the control tool share.
 *
 * All state lives in one mapped file, so that the sensor outlives its clients like a real one outlives a process.
 * A change is made on the idle one of two copies and becomes true by one store: a client that is killed in the
 * middle of a transfer leaves the state as it was before the transfer, and its locks are robust.
 */
#ifndef TECHTEMP_EMULATOR_H
#define TECHTEMP_EMULATOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define EMULATOR_MAGIC 0x41485432u /* "AHT2" */
#define PATH_BYTES 400
#define FRAME_BYTES 7
#define SOURCE_NAMES {"constant", "rows", "sine", "raw"}
#define FAULT_NAMES {"hang", "timeout", "nack", "absent", "other-device", "busy", "not-calibrated", "refuse-init", \
                     "crc", "crc-valid", "frozen", "zero", "ones", "no-device", "no-permission", "kernel-driver"}

enum source { SOURCE_CONSTANT, SOURCE_ROWS, SOURCE_SINE, SOURCE_RAW };

/* In the order of FAULT_NAMES. */
enum fault {
  FAULT_HANG, FAULT_TIMEOUT, FAULT_NACK, FAULT_ABSENT, FAULT_OTHER_DEVICE, FAULT_BUSY, FAULT_NOT_CALIBRATED,
  FAULT_REFUSE_INIT, FAULT_CRC, FAULT_CRC_VALID, FAULT_FROZEN, FAULT_ZERO, FAULT_ONES, FAULT_NO_DEVICE,
  FAULT_NO_PERMISSION, FAULT_KERNEL_DRIVER, FAULT_COUNT
};

/* What a transfer is, for faults that hit only some: a bit mask. */
enum { ON_WRITE = 1, ON_STATUS = 2, ON_FRAME = 4, ON_ANY = 7 };
enum { BUSY_UNTIL_RESET = 1, BUSY_UNTIL_POWER_CYCLE = 2, BUSY_FOR_GOOD = 3 };
enum { COMMAND_REFUSED = 0, COMMAND_WORKS = 1, COMMAND_IGNORED = 2 };
enum { INIT_WORKS = 0, INIT_NEVER = 1 };
enum { REFUSE_E1 = 1, REFUSE_BE = 2, REFUSE_REGISTERS = 4 };
enum { STUCK_BUS = 0, STUCK_DATA = 1 };

struct fault_state {
  int32_t active;
  int32_t on;          /* ON_* mask */
  double probability;  /* of each opportunity */
  int64_t skip;        /* opportunities that still pass unharmed */
  int64_t remaining;   /* hits left, -1: no limit */
  uint64_t random;     /* generator state, from the seed */
  uint64_t hits;
  uint64_t generation; /* grows with every command about this fault: ends a hang */
  int64_t ms;          /* timeout: how long the bus is held */
  int64_t option;      /* the fault's own choice, see the enums above */
  uint8_t bytes[32];   /* other-device: its answer, repeated */
  int32_t byte_count;
};

struct settings {
  int32_t address;
  int32_t nack_errno;
  int32_t calibrated_at_power_up; /* status bit 3 */
  int32_t registers_at_power_up;  /* status bit 4, which the newer sheets ask for too */
  int32_t status_extra;           /* reserved status bits that are simply there, e.g. 0x04 */
  int32_t accepts_e1, accepts_be; /* COMMAND_* */
  int32_t has_registers, has_crc;
  int32_t busy_after_71; /* 0: no harm, else BUSY_* */
  int32_t repeat_seventh; /* AHT10: byte 7 repeats byte 6 (else 0xFF) */
  int32_t gid, mode;      /* of the device file */
  int64_t power_up_ns, conversion_ns, init_ns, reset_ns;
  int64_t bit_rate; /* bits per second that a transfer takes on the wire, 0: no time */
};

struct source_state {
  int32_t kind;
  int32_t series; /* counts the sources that were set */
  int32_t wrap; /* rows: start again at the end instead of holding the last */
  double temperature, humidity, temperature_swing, humidity_swing, noise;
  int64_t period; /* sine: samples per turn */
  uint64_t seed;
  uint8_t raw[5];
  uint64_t rows_generation;
  char rows_path[PATH_BYTES];
};

enum { KIND_MEASURED, KIND_UNCALIBRATED, KIND_FROZEN };

/* One measurement as the chip holds it. */
struct conversion {
  uint64_t number;
  int64_t series, sample; /* index of the value in its source; moves on when the value was read in good form */
  int64_t row;    /* the row of the file, -1 for other sources */
  int64_t start_ns, end_ns;
  double temperature, humidity; /* the truth, before the chip's 20 bits */
  uint8_t data[5];
  int32_t kind; /* KIND_* */
  int32_t delivered;
};

struct chip {
  int32_t powered;
  int32_t calibrated, registers_ready;
  int64_t ready_ns; /* answers no address before: power-up, soft reset */
  int64_t busy_until_ns;
  int32_t converting;
  struct conversion running, result;
  uint64_t conversions;
  int64_t next_sample;
  int32_t selected_register; /* 0: the next read is a status or frame read */
  int32_t read_register;     /* read out, may be written back */
  int32_t written_registers; /* mask of 1B, 1C, 1E */
};

struct sensor {
  struct settings settings;
  struct source_state source;
  struct chip chip;
  struct fault_state faults[FAULT_COUNT];
};

struct shared {
  uint32_t magic, size;
  int32_t bus;
  _Atomic uint32_t current;   /* which of the two copies is true */
  pthread_mutex_t bus_lock;   /* the adapter's: held for a whole transfer, hang included */
  pthread_mutex_t state_lock; /* short: held while the copies are used */
  struct sensor copies[2];
  char log_path[PATH_BYTES];
  char node_path[PATH_BYTES]; /* the empty file behind each open descriptor, */
  uint64_t node_inode;        /* which its inode tells from any other */
};

/* One process's view of an emulator. */
struct emulator {
  struct shared *shared;
  _Atomic int log_descriptor;
  const double *rows;
  int64_t row_count;
  uint64_t rows_generation;
};

/* state.c */
int64_t monotonic_ns(void);
void sleep_ns(int64_t ns);
void lock_robust(pthread_mutex_t *mutex);
struct emulator *emulator_map(const char *path);
struct sensor *state_begin(struct emulator *emulator);
void state_commit(struct emulator *emulator);
void state_abandon(struct emulator *emulator);
void log_line(struct emulator *emulator, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *hex(char *out, const uint8_t *bytes, size_t count);

/* faults.c */
extern const char *const fault_names[FAULT_COUNT];
uint64_t next_random(uint64_t *state);
int fault_hits(struct sensor *sensor, enum fault fault, int on);
void fault_start(struct sensor *sensor, enum fault fault);
void fault_end(struct sensor *sensor, enum fault fault);
const char *fault_corrupt(struct sensor *sensor, uint8_t *frame, size_t count);

/* values.c */
void value_next(struct emulator *emulator, struct sensor *sensor, struct conversion *conversion);

/* aht20.c */
#define VALUE_TEXT 256
void describe(char *text, const struct conversion *value);
uint8_t crc8(const uint8_t *bytes, size_t count);
void chip_power_on(struct sensor *sensor, int64_t now);
void chip_power_off(struct sensor *sensor);
void chip_restart(struct sensor *sensor, int64_t ready_ns);
void chip_settle(struct chip *chip, int64_t now);
int chip_is_busy(const struct sensor *sensor, int64_t now);
int chip_read(struct emulator *emulator, struct sensor *sensor, uint8_t *bytes, size_t count);

/* commands.c */
void register_value(int number, uint8_t *value);
int chip_write(struct emulator *emulator, struct sensor *sensor, const uint8_t *bytes, size_t count);

/* bus.c */
struct message {
  unsigned address;
  int is_read;
  size_t count;
  uint8_t *bytes;
};
int bus_transfer(struct emulator *emulator, struct message *messages, int count);

#endif
