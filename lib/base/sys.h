/* SPDX-License-Identifier: ISC */
/* Time and randomness: the two things that every process takes from the system besides descriptors.
 * Pure code never calls these functions; it receives their values. */
#ifndef QASID_BASE_SYS_H
#define QASID_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds on a clock that never goes back. For deadlines. */
uint64_t sys_mono_ms(void);
/* Seconds since 1970-01-01 UTC. For dates. */
int64_t sys_wall_s(void);
/* Microseconds since 1970-01-01 UTC. For ids. */
int64_t sys_wall_us(void);
/* Fills `p` with unpredictable octets; aborts the process when the kernel has none. */
void sys_random(void *p, size_t n);

#endif
