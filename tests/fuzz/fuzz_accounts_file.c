/* SPDX-License-Identifier: ISC */
/* Any text as a file of accounts. Of a migration: each account that is taken has an address, a
 * login and a line, and no octet that would end a command there. Of `account import` (CSV): each
 * step goes on, and it ends. */
#include <stdlib.h>
#include <string.h>

#include "src/cli/base/csv.h"
#include "src/cli/migrate/migrate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_one_line(struct slice s) {
  return slice_find(s, '\n') < 0 && slice_find(s, '\r') < 0 && slice_find(s, 0) < 0;
}

static void read_csv(struct slice text) {
  struct csv c;
  struct slice fields[CSV_FIELDS_MAX];
  size_t count, rows = 0;
  const char *why;
  csv_open(&c, text);
  for (int r; (r = csv_next(&c, fields, &count, &why)) != 0;) {
    if (++rows > text.n + 1 || (r > 0 && count > CSV_FIELDS_MAX)) abort();
    for (size_t i = 0; r > 0 && i < count; i++)
      if (fields[i].n > text.n) abort();
  }
  csv_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  read_csv(slice_of(data, size));
  struct migrate_accounts a = { .count = 0 };
  struct buf err;
  buf_init(&err, 4096);
  buf_init(&a.text, size + 1);
  buf_put(&a.text, slice_of(data, size));
  bool ok = migrate_accounts_parse(&a, &err);
  if (!ok && !buf_len(&err)) abort();
  for (size_t i = 0; ok && i < a.count; i++) {
    const struct migrate_account *m = &a.list[i];
    if (!m->address || !strchr(m->address, '@') || !m->login.n || !is_one_line(m->login)) abort();
    if (!is_one_line(m->password) || (i && m->line <= a.list[i - 1].line)) abort();
  }
  migrate_accounts_free(&a);
  buf_free(&err);
  return 0;
}
