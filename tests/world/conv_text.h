/* SPDX-License-Identifier: ISC */
/* The small text work of conversations: escapes, {…}, wildcards. */
#ifndef QASID_WORLD_CONV_TEXT_H
#define QASID_WORLD_CONV_TEXT_H

#include "lib/base/buf.h"

enum { CONV_NAMES = 16 };
#define CONV_NONCE "rOprNGfwEbeRWgbNEkqO" /* a SCRAM client's, as in RFC 7677 §3 */

/* What was remembered, and what {apop}, {cram} and {scram} are made from. */
struct conv_memory {
  struct {
    char name[24];
    char value[600];
  } names[CONV_NAMES];
  size_t count;
  char greeting[600], challenge[600];
};

/* \r \n \0 \t \\ \xNN. */
void conv_unescape(struct slice s, struct buf *out);
/* {…} in what the client says. */
void conv_expand(struct slice s, const struct conv_memory *m, struct buf *out);
/* Does `line` look like `pattern`? Remembers what {=NAME} stands for when it does. */
bool conv_match(struct slice pattern, struct slice line, struct conv_memory *m);

#endif
