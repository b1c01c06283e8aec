/* SPDX-License-Identifier: ISC */
/* The two things every process takes from the machine besides descriptors: time and randomness.
 * Pure code never calls these; it is handed their values. */
#ifndef QASID_BASE_SYS_H
#define QASID_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds that never go back. For deadlines. */
uint64_t sys_mono_ms(void);
/* Seconds since 1970-01-01 UTC. For dates. */
int64_t sys_wall_s(void);
/* Microseconds since 1970-01-01 UTC. For ids. */
int64_t sys_wall_us(void);
/* Fills `p` with octets nobody can guess; ends the process when the kernel has none. */
void sys_random(void *p, size_t n);

#endif
