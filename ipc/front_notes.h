/* SPDX-License-Identifier: ISC */
/* A front-end's record of whom it serves, in case it crashes: one page that it shares with the
 * parent. The parent reads the page after the process was killed by a fault of its own, and trusts
 * nothing in it except that these may be addresses.
 *
 * Addresses only: 4 octets are IPv4; 16 are IPv6, of which the first 8 count. */
#ifndef QASID_IPC_FRONT_NOTES_H
#define QASID_IPC_FRONT_NOTES_H

#include <stdint.h>

enum { FRONT_NOTES_RECENT = 64 };

struct front_note {
  uint8_t n; /* octets of the address; 0: none */
  uint8_t address[16];
};

struct front_notes {
  struct front_note now; /* whose connection is being processed */
  struct front_note
      recent[FRONT_NOTES_RECENT]; /* those processed before, each next to a different one; a ring */
};

#endif
