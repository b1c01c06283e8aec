/* SPDX-License-Identifier: ISC */
/* What a front-end leaves behind for the case that it dies: one page that it shares with the
 * parent. The parent reads it when the process has been ended by a fault of its own, and believes
 * nothing of it but that these may be addresses.
 *
 * Addresses only: 4 octets are IPv4, 16 are IPv6, of which the first 8 count. */
#ifndef QASID_IPC_FRONT_NOTES_H
#define QASID_IPC_FRONT_NOTES_H

#include <stdint.h>

enum { FRONT_NOTES_RECENT = 64 };

struct front_note {
  uint8_t n; /* octets of the address; 0: nobody */
  uint8_t address[16];
};

struct front_notes {
  struct front_note now;                        /* whose connection is being worked at */
  struct front_note recent[FRONT_NOTES_RECENT]; /* whose was, each beside another's; a ring */
};

#endif
