/* SPDX-License-Identifier: ISC */
/* SM-1 to SM-19: what some servers take for the end of a message, and what is none. */
#ifndef QASID_TESTS_SPELLINGS_H
#define QASID_TESTS_SPELLINGS_H

#include "lib/base/slice.h"

/* For initializers, where SLICE() cannot stand. */
#define S(lit) \
  { (const uint8_t *)(lit), sizeof(lit) - 1 }
static const struct slice spellings[] = {
  S("\n.\n"),
  S("\n.\r\n"),
  S("\r\n.\n"),
  S("\r.\r"),
  S("\r.\n"),
  S("\n.\r"),
  S("\r.\r\n"),
  S("\r\n.\r"),
  S("\r\n\0.\r\n"),
  S("\r\n.\0\r\n"),
  S("\n\n.\n\n"),
  S("\r\r\n.\r\r\n"),
  S("\r\n.\r\r\n"),
  S("\r\n.\n\r\n"),
  S("\r\n .\r\n"),
  S("\r\n. \r\n"),
  S("\r\n.\t\r\n"),
  S("\x85.\x85"),
  S("\xe2\x80\xa8.\xe2\x80\xa8"),
  S("\x0b.\x0b"),
  S("\x0c.\x0c"),
  S("\r\n\x1a.\r\n"),
  S("\r\n\x7f.\r\n"),
  S("\r\n\xEF\xBB\xBF.\r\n"),
  S("\r\n..\r\n"),
  S("\r\n.\r.\r\n"),
};

#endif
