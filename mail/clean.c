/* SPDX-License-Identifier: ISC */
/* Normalisation of line ends and NULs in a message that arrives in pieces (mail/clean.h has the
 * rules).
 * Invariants: CR and LF leave only as CRLF, and no NUL leaves; at most MAIL_CLEAN_HELD CRs are
 * held between calls; the result does not depend on how the octets were cut; work is linear,
 * also for text of bare CRs. */
#include "mail/clean.h"

static void put(struct mail_clean *c, struct slice s, struct buf *out) {
  c->octets += s.n;
  if (out) buf_put(out, s);
}

static void line_end(struct mail_clean *c, struct buf *out) { put(c, SLICE("\r\n"), out); }

/* Octets without CR or LF, or whole lines with their CRLF. */
static void put_without_nul(struct mail_clean *c, struct slice s, struct buf *out) {
  for (ptrdiff_t nul; (nul = slice_find(s, 0)) >= 0; s = slice_from(s, (size_t)nul + 1)) {
    if (nul) put(c, slice_first(s, (size_t)nul), out);
    put(c, SLICE("\x80"), out);
    c->changed.nuls++;
  }
  if (s.n) put(c, s, out);
}

/* None of the held CRs is followed by an LF. */
static void release(struct mail_clean *c, struct buf *out) {
  c->changed.crs += c->held;
  for (; c->held; c->held--) line_end(c, out);
}

static void take_lf(struct mail_clean *c, struct buf *out) {
  if (c->held)
    c->changed.crs += c->held - 1u;
  else
    c->changed.lfs++;
  c->held = 0;
  line_end(c, out);
}

static void take_cr(struct mail_clean *c, struct buf *out) {
  if (c->held < MAIL_CLEAN_HELD) {
    c->held++;
    return;
  }
  c->changed.crs++;
  line_end(c, out);
}

/* A search no further than this keeps a text of bare CRs linear. */
enum { LINE_WINDOW = 1024 };

/* The number of octets at the front that need only the check for NUL: whole lines, or the text
 * before the next line's end. */
static size_t plain(struct slice in) {
  size_t n = 0;
  for (;;) {
    struct slice rest = slice_first(slice_from(in, n), LINE_WINDOW);
    ptrdiff_t lf = slice_find(rest, '\n');
    struct slice line = lf < 0 ? rest : slice_first(rest, (size_t)lf);
    ptrdiff_t cr = slice_find(line, '\r');
    if (lf < 0 || cr < 0 || cr + 1 != lf) return n ? n : cr < 0 ? line.n : (size_t)cr;
    n += (size_t)lf + 1;
  }
}

void mail_clean_put(struct mail_clean *c, struct slice s, struct buf *out) {
  while (s.n) {
    uint8_t octet = s.p[0];
    size_t n = octet == '\r' || octet == '\n' ? 0 : plain(s);
    if (n) {
      release(c, out);
      put_without_nul(c, slice_first(s, n), out);
    } else if (octet == '\n') {
      take_lf(c, out);
    } else {
      take_cr(c, out);
    }
    s = slice_from(s, n ? n : 1);
  }
}

void mail_clean_put_lines(struct mail_clean *c, struct slice lines, struct buf *out) {
  if (lines.n) put_without_nul(c, lines, out);
}

void mail_clean_end(struct mail_clean *c, struct buf *out) { release(c, out); }

bool mail_is_clean(struct slice message, uint64_t *ret_size) {
  struct mail_clean c = { .octets = 0 };
  mail_clean_put(&c, message, NULL);
  mail_clean_end(&c, NULL);
  *ret_size = c.octets;
  return !mail_changes_any(&c.changed);
}

/* --- what was changed --- */

bool mail_changes_any(const struct mail_changes *c) { return c->crs || c->lfs || c->nuls; }

void mail_changes_add(struct mail_changes *to, const struct mail_changes *more) {
  to->crs += more->crs;
  to->lfs += more->lfs;
  to->nuls += more->nuls;
}

void mail_changes_put(struct buf *out, const struct mail_changes *c) {
  const struct {
    uint64_t count;
    const char *what;
  } all[] = { { c->lfs, "bare LF" }, { c->crs, "bare CR" }, { c->nuls, "NUL" } };
  size_t left = 0;
  for (size_t i = 0; i < 3; i++) left += all[i].count > 0;
  for (size_t i = 0; i < 3; i++) {
    if (!all[i].count) continue;
    buf_printf(out, "%llu %s%s%s", (unsigned long long)all[i].count, all[i].what,
               all[i].count == 1 ? "" : "s",
               left > 2    ? ", "
               : left == 2 ? " and "
                           : "");
    left--;
  }
}

void mail_changes_report(struct buf *out, uint64_t messages, const struct mail_changes *c) {
  buf_printf(out, "%llu message%s had what no message may have and %s made over: ",
             (unsigned long long)messages, messages == 1 ? "" : "s",
             messages == 1 ? "was" : "were");
  mail_changes_put(out, c);
}
