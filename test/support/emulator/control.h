/* The two halves of the control tool: commands (control.c) and their name=value pairs (assign.c). */
#ifndef TECHTEMP_EMULATOR_CONTROL_H
#define TECHTEMP_EMULATOR_CONTROL_H

#include "emulator.h"

/* Ends the tool; a lock that it holds is robust, its half-made change is forgotten. */
__attribute__((noreturn)) void die(const char *problem, const char *value);
double parse_number(const char *text);
void set_setting(struct sensor *sensor, const char *name, const char *value);
void set_source(struct sensor *sensor, const char *name, const char *value);
void set_fault(struct fault_state *fault, const char *name, const char *value);

#endif
