/* SPDX-License-Identifier: ISC */
/* Comma-separated values (RFC 4180) with a header, as spreadsheets write them: a BOM, CR LF or LF,
 * quoted fields that may contain line ends; if the header has no comma, ";" or TAB separates. */
#ifndef QASID_CLI_CSV_H
#define QASID_CLI_CSV_H

#include "lib/base/arena.h"

enum { CSV_FIELDS_MAX = 32 };

struct csv {
  struct slice rest;
  uint8_t separator;
  unsigned line; /* of the last row read, from 1 */
  unsigned next_line;
  struct arena mem; /* fields that were unquoted */
};

/* `text` is borrowed. */
void csv_open(struct csv *c, struct slice text);
void csv_close(struct csv *c);
/* 1: a row; empty lines are skipped. 0: the end. -1: it is malformed, *ret_why says how; the next
 * call continues after it. */
int csv_next(struct csv *c, struct slice fields[static CSV_FIELDS_MAX], size_t *ret_count,
             const char **ret_why);

#endif
