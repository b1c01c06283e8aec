/* SPDX-License-Identifier: ISC */
/* What a conversation expects of connections and mailboxes. */
#include "lib/base/num.h"
#include "tests/world/conv_in.h"

bool conv_any_line(struct play *p, struct slice text, struct slice pattern) {
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (conv_match(pattern, line, &p->memory)) return true;
  }
  return false;
}

static bool is_over(const struct actor *a) { return a->closed; }

static void expect_closed(struct play *p, struct actor *a, struct slice words) {
  if (!conv_wait(p, is_over, a)) {
    conv_differ(p, "the connection is still open");
    return;
  }
  if (buf_len(&a->text)) {
    conv_differ(p, "before it closed it said: %.*s",
                SLICE_ARG(slice_first(buf_slice(&a->text), 200)));
    return;
  }
  while (words.n) {
    struct slice word = slice_split(&words, '|');
    if (slice_eq(word, slice_str(close_reason_word(a->reason)))) return;
  }
  conv_differ(p, "closed: %s", close_reason_word(a->reason));
}

static struct world_box *look(struct play *p, struct slice name, bool sizes_only) {
  world_run(p->w, world_now(p->w) + 10);
  uint64_t account = people_account(&p->c->people, name);
  if (!account) {
    conv_differ(p, "no such account");
    return NULL;
  }
  return world_look(p->w, account, sizes_only);
}

static void expect_mailbox(struct play *p, struct slice rest) {
  struct slice name = slice_split(&rest, ' ');
  uint64_t n = 0;
  num_parse(rest, 1000000, &n);
  struct world_box *b = look(p, name, true);
  if (b && b->count != n) conv_differ(p, "it has %zu messages", b->count);
  if (!b) conv_differ(p, "it can't be looked at");
  world_box_free(&b);
}

static void expect_mail(struct play *p, struct slice rest, bool wanted) {
  struct slice name = slice_split(&rest, ' ');
  uint64_t only = 0;
  if (wanted) num_parse(slice_split(&rest, ' '), 1000000, &only);
  struct world_box *b = look(p, name, false);
  bool there = false;
  for (size_t i = 0; b && i < b->count; i++)
    if (!only || only == i + 1) there |= conv_any_line(p, b->mails[i].octets, rest);
  if (!b || there != wanted)
    conv_differ(p, there ? "there is such a line" : "there is no such line");
  world_box_free(&b);
}

bool conv_expect(struct play *p, struct actor *a) {
  struct slice rest = p->step->text, what = slice_split(&rest, ' ');
  if (slice_eq(what, SLICE("closed")))
    expect_closed(p, a, rest);
  else if (slice_eq(what, SLICE("mailbox")))
    expect_mailbox(p, rest);
  else if (slice_eq(what, SLICE("mail")))
    expect_mail(p, rest, true);
  else if (slice_eq(what, SLICE("nomail")))
    expect_mail(p, rest, false);
  else if (slice_eq(what, SLICE("open"))) {
    world_run(p->w, world_now(p->w) + 10);
    if (a->closed) conv_differ(p, "closed: %s", close_reason_word(a->reason));
  } else
    conv_differ(p, "no such expectation");
  return true;
}
