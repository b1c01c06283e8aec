/* SPDX-License-Identifier: ISC */
#include "tests/world/people.h"

#include <stdio.h>

#include "ipc/cli_process.h"
#include "lib/base/num.h"
#include "mail/surrogate.h"

enum { WORDS = 8 };

/* A command whose words are slices; what it says goes to p->why. */
static int command(struct people *p, struct world *w, enum role role, const struct slice *words,
                   size_t count, struct slice input, struct buf *out) {
  struct buf strings[WORDS], said;
  const char *texts[WORDS];
  buf_init(&said, 1 << 20);
  for (size_t i = 0; i < count; i++) {
    buf_init(&strings[i], 4096);
    buf_put(&strings[i], words[i]);
    texts[i] = buf_cstr(&strings[i]);
  }
  int code = world_admin(w, role, texts, count, input, &said);
  snprintf(p->why, sizeof p->why, "%d %.*s", code, SLICE_ARG(slice_first(buf_slice(&said), 200)));
  if (out) buf_put(out, buf_slice(&said));
  for (size_t i = 0; i < count; i++) buf_free(&strings[i]);
  buf_free(&said);
  return code;
}

static bool add_domain(struct people *p, struct world *w, struct slice name) {
  struct slice domain = slice_from(name, (size_t)(slice_rfind(name, '@') + 1));
  const struct slice words[] = { SLICE("domain"), SLICE("add"), domain };
  int code = command(p, w, ROLE_STORE, words, 3, SLICE_NONE, NULL);
  return code == CLI_OK || code == CLI_EXISTS;
}

bool people_add(struct people *p, struct world *w, struct slice name, struct slice password,
                bool legacy) {
  struct buf said;
  const struct slice make[] = { SLICE("account"), SLICE("add"), name };
  if (p->count == PEOPLE_MAX || name.n >= sizeof p->all->name || !add_domain(p, w, name))
    return false;
  buf_init(&said, 4096);
  bool ok = command(p, w, ROLE_STORE, make, 3, SLICE_NONE, &said) == CLI_OK;
  struct slice row = buf_slice(&said), id = slice_split(&row, '\n');
  id = slice_split(&id, ' ');
  uint64_t account = 0;
  ok = ok && num_parse(id, UINT64_MAX, &account);
  const struct slice let[] = {
    SLICE("account"), SLICE("add"), name, id, legacy ? SLICE("--legacy-auth") : password, password
  };
  ok = ok && command(p, w, ROLE_AUTH, let, legacy ? 6 : 5, SLICE_NONE, NULL) == CLI_OK;
  buf_free(&said);
  if (!ok) return false;
  memcpy(p->all[p->count].name, name.p, name.n);
  p->all[p->count].name[name.n] = 0;
  p->all[p->count++].account = account;
  return true;
}

bool people_alias(struct people *p, struct world *w, struct slice name, struct slice target) {
  struct slice words[WORDS] = { SLICE("alias"), SLICE("add"), name };
  size_t n = 3;
  while (target.n && n < WORDS) words[n++] = slice_split(&target, ' ');
  return command(p, w, ROLE_STORE, words, n, SLICE_NONE, NULL) == CLI_OK;
}

bool people_give(struct people *p, struct world *w, struct slice name, struct slice uidl,
                 struct slice octets) {
  const struct slice words[] = { SLICE("import"), name };
  struct surrogate surrogate;
  struct buf input;
  surrogate_open(&surrogate, SURROGATE_6857);
  surrogate_put(&surrogate, octets, NULL);
  surrogate_end(&surrogate, NULL);
  buf_init(&input, 1 << 20);
  buf_printf(&input, "%zu 1700000000 0 ", octets.n);
  buf_put(&input, uidl);
  buf_printf(&input, " %llu\n", (unsigned long long)surrogate_size(&surrogate));
  buf_put(&input, octets);
  bool ok = command(p, w, ROLE_STORE, words, 2, buf_slice(&input), NULL) == CLI_OK;
  buf_free(&input);
  return ok;
}

uint64_t people_account(const struct people *p, struct slice name) {
  for (size_t i = 0; i < p->count; i++)
    if (slice_eq(slice_str(p->all[i].name), name)) return p->all[i].account;
  return 0;
}

void people_check_store(struct people *p, struct world *w) {
  const struct slice words[] = { SLICE("check") };
  if (world_died(w)) return;
  int code = command(p, w, ROLE_STORE, words, 1, SLICE_NONE, NULL);
  if (code != CLI_OK && !world_died(w)) world_fail(w, "the store's check: %s", p->why);
}
