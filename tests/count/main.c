/* SPDX-License-Identifier: ISC */
/* Runs each unit under callgrind: twice uncounted, so that buffers, statements and caches are
 * there, then ROUNDS times counted. Each unit's counts leave as a dump "NAME ITEMS".
 *
 *   count [UNIT…]      without names: all */
#include "tests/count/count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

enum { WARM = 2, ROUNDS = 4 };

void count_must(bool is_so, const char *what) {
  if (is_so) return;
  fprintf(stderr, "count: %s\n", what);
  exit(1);
}

struct slice count_message(size_t octets) {
  static uint8_t mem[COUNT_MESSAGE_MAX];
  static const char header[] = "From: Alice <alice@example.com>\r\nTo: <bob@here.example>\r\n"
                               "Date: Mon, 30 Nov 2026 10:00:00 +0000\r\nSubject: counted\r\n"
                               "Message-ID: <1@example.com>\r\n\r\n";
  size_t n = sizeof header - 1;
  count_must(octets > n + 80 && octets <= sizeof mem, "no message has that size");
  memcpy(mem, header, n);
  for (size_t i = n; i < octets; i++) {
    size_t column = (i - n) % 78;
    mem[i] = column == 76 ? '\r' : column == 77 ? '\n' : (uint8_t)('a' + i % 23);
  }
  if (mem[octets - 3] == '\r') mem[octets - 3] = 'x';
  mem[octets - 2] = '\r', mem[octets - 1] = '\n';
  return slice_of(mem, octets);
}

static void count(const struct count_unit *u) {
  char title[100];
  void *arg = u->begin();
  count_must(arg != NULL, "no memory");
  for (int i = 0; i < WARM; i++) u->once(arg);
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  for (int i = 0; i < ROUNDS; i++) u->once(arg);
  snprintf(title, sizeof title, "%s %u", u->name, ROUNDS * u->items);
  CALLGRIND_DUMP_STATS_AT(title);
  CALLGRIND_STOP_INSTRUMENTATION;
  u->end(arg);
}

static bool is_wanted(const char *name, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], name) == 0) return true;
  return argc == 1;
}

int main(int argc, char **argv) {
  const struct count_unit *const all[] = { count_smtp, count_pop3, count_client, count_store };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (const struct count_unit *u = all[i]; u->name; u++)
      if (is_wanted(u->name, argc, argv)) count(u);
  return 0;
}
