/* SPDX-License-Identifier: ISC */
/* Reads the lists of UIDLs that other servers keep (uidls.h): Dovecot's, Courier's, and plain
 * lines. A list with names is sorted by name after reading and searched by bisection; one without
 * stays in the messages' order. Memory: one arena of UIDLS_MEMORY_MAX. */
#include "src/cli/mailbox/uidls.h"

#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/num.h"
#include "mail/uidl.h"
#include "src/cli/mailbox/mailbox.h"

enum { UIDLS_MEMORY_MAX = 512 * 1024 * 1024 };

static bool prepare(struct uidl_list *l, struct slice text) {
  size_t lines = 1;
  for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
  *l = (struct uidl_list){ 0 };
  arena_init(&l->mem, UIDLS_MEMORY_MAX);
  l->entries = arena_alloc(&l->mem, lines * sizeof *l->entries);
  return l->entries != NULL;
}

void uidls_free(struct uidl_list *l) { arena_reset(&l->mem); }

static int by_name(const void *a, const void *b) {
  return slice_cmp(((const struct uidl_entry *)a)->name, ((const struct uidl_entry *)b)->name);
}

static void sort(struct uidl_list *l) {
  if (l->named && l->count) qsort(l->entries, l->count, sizeof *l->entries, by_name);
}

static bool add(struct uidl_list *l, struct slice name, struct slice uidl, uint64_t uid) {
  struct uidl_entry *e = &l->entries[l->count++];
  *e = (struct uidl_entry){ arena_copy(&l->mem, name), arena_copy(&l->mem, uidl), uid };
  return !l->mem.failed;
}

static struct slice next_line(struct slice *text) {
  struct slice line = slice_split(text, '\n');
  if (line.n && line.p[line.n - 1] == '\r') line.n--;
  return line;
}

bool uidls_read_plain(struct uidl_list *l, struct slice text, struct buf *err) {
  bool ok = prepare(l, text);
  for (unsigned number = 1; ok && text.n; number++) {
    struct slice name = next_line(&text), uidl = slice_split(&name, '\t');
    if (uidl.n == 0 && !name.p) continue;
    if (l->count && l->named != (name.p != NULL)) {
      buf_printf(err, "line %u: either every line has a name behind a tab, or none has", number);
      return false;
    }
    if (!uidl_is_valid(uidl)) {
      buf_printf(err, "line %u: a UIDL has 1 to 70 printable characters without spaces (RFC 1939)",
                 number);
      return false;
    }
    l->named = name.p != NULL;
    ok = add(l, maildir_base_name(name), uidl, 0);
  }
  if (!ok) buf_put_str(err, "no memory");
  sort(l);
  return ok;
}

/* A field of the header or of a message: a letter and its value. */
static struct slice field(struct slice line, uint8_t letter) {
  while (line.p) {
    struct slice word = slice_split(&line, ' ');
    if (slice_at(word, 0) == ':') break;
    if (slice_at(word, 0) == letter) return slice_from(word, 1);
  }
  return SLICE_NONE;
}

bool uidls_read_dovecot(struct uidl_list *l, struct slice text, struct buf *err) {
  bool ok = prepare(l, text);
  uint64_t validity, uid;
  struct slice head = next_line(&text);
  l->named = true;
  if (ok &&
      (!slice_starts(head, SLICE("3 ")) || !num_parse(field(head, 'V'), UINT32_MAX, &validity))) {
    buf_put_str(err, "line 1: this is not a dovecot-uidlist of version 3");
    return false;
  }
  for (unsigned number = 2; ok && text.n; number++) {
    struct slice line = next_line(&text), rest = line;
    ptrdiff_t colon = slice_search(line, SLICE(" :")); /* the UIDL itself may contain colons */
    if (line.n == 0) continue;
    if (colon < 0 || !num_parse(slice_split(&rest, ' '), UINT32_MAX, &uid)) {
      buf_printf(err, "line %u: \"UID … :NAME\" was expected", number);
      return false;
    }
    struct buf made;
    struct slice given = field(rest, 'P');
    buf_init(&made, 64);
    buf_printf(&made, "%08llx%08llx", (unsigned long long)uid, (unsigned long long)validity);
    ok = add(l, maildir_base_name(slice_from(line, (size_t)colon + 2)),
             uidl_is_valid(given) ? given : buf_slice(&made), uid);
    buf_free(&made);
  }
  if (!ok) buf_put_str(err, "no memory");
  sort(l);
  return ok;
}

/* --- Courier --- */

/* A Maildir's file name as a UIDL, as Courier writes it: ', ", + and unprintable octets as +XX. */
static void uidls_put_name(struct buf *out, struct slice base) {
  for (; base.n; base = slice_from(base, 1)) {
    uint8_t c = base.p[0];
    if (!ascii_is_graph(c) || c == '\'' || c == '"' || c == '+')
      buf_printf(out, "+%02X", c);
    else
      buf_put_u8(out, c);
  }
}

/* Parses a line from its end: names may contain spaces. */
static bool courier_line(struct slice line, struct slice *ret_name, uint64_t *ret_n,
                         uint64_t *ret_validity) {
  ptrdiff_t last = slice_rfind(line, ' ');
  ptrdiff_t size = last > 0 ? slice_rfind(slice_first(line, (size_t)last), ' ') : -1;
  uint64_t octets;
  if (size <= 0) return false;
  struct slice numbers = slice_from(line, (size_t)last + 1), n = slice_split(&numbers, ':'),
               validity = slice_split(&numbers, ':');
  *ret_name = slice_first(line, (size_t)size);
  *ret_validity = 0;
  return num_parse(slice_first(slice_from(line, (size_t)size + 1), (size_t)(last - size - 1)),
                   INT64_MAX, &octets) &&
         num_parse(n, UINT64_MAX, ret_n) &&
         (!validity.n || num_parse(validity, UINT64_MAX, ret_validity));
}

bool uidls_read_courier(struct uidl_list *l, struct slice text, struct buf *err) {
  bool ok = prepare(l, text);
  struct slice head = next_line(&text), name;
  uint64_t n, validity;
  l->named = true;
  if (ok && !slice_starts(head, SLICE("/1 ")) && !slice_starts(head, SLICE("/2 ")) &&
      !slice_starts(head, SLICE("/3 "))) {
    buf_put_str(err, "line 1: this is not a courierpop3dsizelist of version 1, 2 or 3");
    return false;
  }
  for (unsigned number = 2; ok && text.n; number++) {
    struct slice line = next_line(&text);
    struct buf made;
    if (line.n == 0) continue;
    if (!courier_line(line, &name, &n, &validity)) {
      buf_printf(err, "line %u: \"NAME SIZE NUMBER:NUMBER\" was expected", number);
      return false;
    }
    buf_init(&made, 1024);
    if (!n)
      uidls_put_name(&made, maildir_base_name(name));
    else if (validity)
      buf_printf(&made, "UID%llu-%llu", (unsigned long long)n, (unsigned long long)validity);
    else
      buf_printf(&made, "UID%llu", (unsigned long long)n);
    if (uidl_is_valid(buf_slice(&made))) ok = add(l, maildir_base_name(name), buf_slice(&made), 0);
    buf_free(&made);
  }
  if (!ok) buf_put_str(err, "no memory");
  sort(l);
  return ok;
}

const struct uidl_entry *uidls_find(const struct uidl_list *l, struct slice name) {
  struct uidl_entry key = { .name = maildir_base_name(name) };
  return l->named && l->count ? bsearch(&key, l->entries, l->count, sizeof key, by_name) : NULL;
}
