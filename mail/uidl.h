/* SPDX-License-Identifier: ISC */
/* The unique-id of a message (RFC 1939 §7): the text by which POP3's UIDL names it. */
#ifndef QASID_UIDL_H
#define QASID_UIDL_H

#include "lib/base/slice.h"

enum { UIDL_MAX = 70 };
/* 1 to UIDL_MAX octets from 0x21 to 0x7E. */
static inline bool uidl_is_valid(struct slice s) {
  return s.n >= 1 && s.n <= UIDL_MAX && slice_is_graph(s);
}

#endif
