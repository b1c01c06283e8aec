/* SPDX-License-Identifier: ISC */
/* The sender rewriting scheme: SRS0 and SRS1 addresses made and resolved.
 * Invariants: an address is resolved only if its hash was made with the given secret (compared
 * in constant time, without regard to case) and, for SRS0, at most SRS_DAYS_MAX days ago;
 * nothing is put out on failure. */
#include "mail/srs.h"

#include "lib/base/codec.h"
#include "lib/tls/digest.h"

enum { DAY = 86400, STAMPS = 1024, FOLDED_MAX = 1024 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void put_stamp(uint8_t stamp[2], int64_t now_s) {
  unsigned day = (unsigned)(now_s / DAY) % STAMPS;
  stamp[0] = (uint8_t)digits[day >> 5];
  stamp[1] = (uint8_t)digits[day & 31];
}

static bool stamp_is_recent(struct slice stamp, int64_t now_s) {
  unsigned day = 0;
  for (size_t i = 0; i < 2; i++) {
    const char *at = memchr(digits, ascii_upper((uint8_t)slice_at(stamp, i)), 32);
    if (!at) return false;
    day = day << 5 | (unsigned)(at - digits);
  }
  unsigned age = ((unsigned)(now_s / DAY) % STAMPS + STAMPS - day) % STAMPS;
  /* tolerates a clock of ours that is a little slow */
  return stamp.n == 2 && (age <= SRS_DAYS_MAX || age == STAMPS - 1);
}

/* Over the parts in lower case, concatenated. False if the digest fails. */
static bool hash_of(uint8_t ret[SRS_HASH], struct slice secret, const struct slice *parts,
                    size_t count) {
  uint8_t folded[FOLDED_MAX], digest[DIGEST_MAX];
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < parts[i].n; k++) {
      if (n == sizeof folded) return false;
      folded[n++] = ascii_lower(parts[i].p[k]);
    }
  struct buf text;
  buf_init(&text, 64);
  bool fine = digest_hmac(DIGEST_SHA1, secret, slice_of(folded, n), digest);
  if (fine) base64_put(&text, slice_of(digest, DIGEST_SHA1_SIZE));
  fine = fine && !text.failed;
  if (fine) memcpy(ret, buf_slice(&text).p, SRS_HASH);
  buf_free(&text);
  return fine;
}

static bool hash_fits(struct slice hash, struct slice secret, const struct slice *parts,
                      size_t count) {
  uint8_t right[SRS_HASH], differs = hash.n != SRS_HASH;
  if (!hash_of(right, secret, parts, count)) return false;
  for (size_t i = 0; i < SRS_HASH; i++)
    differs |= ascii_lower(right[i]) ^ ascii_lower((uint8_t)slice_at(hash, i));
  return !differs;
}

static bool is_separator(int c) { return c == '=' || c == '-' || c == '+'; }

/* "SRS0=" or "SRS1=": which of them, and what follows its separator. */
static bool kind_of(struct slice local, char *ret_kind, struct slice *ret_rest) {
  if (local.n < 5 || !slice_caseeq(slice_first(local, 3), SLICE("SRS")) ||
      !is_separator(local.p[4]))
    return false;
  *ret_kind = (char)local.p[3];
  *ret_rest = slice_from(local, 5);
  return *ret_kind == '0' || *ret_kind == '1';
}

static bool cut(struct slice path, struct slice *ret_local, struct slice *ret_domain) {
  ptrdiff_t at = slice_rfind(path, '@');
  if (at < 1 || path.p[0] == '"')
    return false; /* a quoted local part cannot be embedded in
                                                 * another */
  *ret_local = slice_first(path, (size_t)at);
  *ret_domain = slice_from(path, (size_t)at + 1);
  return ret_domain->n > 0;
}

bool srs_is(struct slice address) {
  struct slice local, domain, rest;
  char kind;
  return cut(address, &local, &domain) && kind_of(local, &kind, &rest);
}

/* --- forward --- */

static bool put_all(struct buf *out, size_t most, const struct slice *parts, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += parts[i].n;
  if (n > most) return false;
  for (size_t i = 0; i < count; i++) buf_put(out, parts[i]);
  return !out->failed;
}

/* SRS1: `host` made the SRS0 address; `rest` is what follows "SRS0", its separator first. */
static bool forward_again(struct buf *out, struct slice secret, struct slice host,
                          struct slice rest, struct slice domain, size_t most) {
  uint8_t hash[SRS_HASH];
  if (!hash_of(hash, secret, (const struct slice[]){ host, rest }, 2)) return false;
  const struct slice parts[] = {
    SLICE("SRS1="), slice_of(hash, SRS_HASH), SLICE("="), host, SLICE("="), rest, SLICE("@"), domain
  };
  return put_all(out, most, parts, sizeof parts / sizeof *parts);
}

static bool forward_first(struct buf *out, struct slice secret, struct slice local,
                          struct slice host, struct slice domain, int64_t now_s, size_t most) {
  uint8_t hash[SRS_HASH], stamp[2];
  put_stamp(stamp, now_s);
  if (!hash_of(hash, secret, (const struct slice[]){ slice_of(stamp, 2), host, local }, 3))
    return false;
  const struct slice parts[] = { SLICE("SRS0="), slice_of(hash, SRS_HASH),
                                 SLICE("="),     slice_of(stamp, 2),
                                 SLICE("="),     host,
                                 SLICE("="),     local,
                                 SLICE("@"),     domain };
  return put_all(out, most, parts, sizeof parts / sizeof *parts);
}

bool srs_forward(struct buf *out, struct slice secret, struct slice path, struct slice domain,
                 int64_t now_s, size_t most) {
  struct slice local, host, rest, first;
  char kind;
  if (!path.n) return true;
  if (!cut(path, &local, &host)) return false;
  if (!kind_of(local, &kind, &rest))
    return forward_first(out, secret, local, host, domain, now_s, most);
  if (kind == '0') return forward_again(out, secret, host, slice_from(local, 4), domain, most);
  slice_split(&rest, '='); /* the other server's hash: ours replaces it, the first host stays */
  first = slice_split(&rest, '=');
  return first.n && rest.n && forward_again(out, secret, first, rest, domain, most);
}

/* --- back --- */

static bool back_first(struct buf *out, struct slice secret, struct slice rest, int64_t now_s) {
  struct slice hash = slice_split(&rest, '='), stamp = slice_split(&rest, '='),
               host = slice_split(&rest, '=');
  if (!host.n || !rest.n || !stamp_is_recent(stamp, now_s)) return false;
  if (!hash_fits(hash, secret, (const struct slice[]){ stamp, host, rest }, 3)) return false;
  return put_all(out, SIZE_MAX, (const struct slice[]){ rest, SLICE("@"), host }, 3);
}

static bool back_again(struct buf *out, struct slice secret, struct slice rest) {
  struct slice hash = slice_split(&rest, '='), host = slice_split(&rest, '=');
  if (!host.n || !rest.n || !is_separator(rest.p[0])) return false;
  if (!hash_fits(hash, secret, (const struct slice[]){ host, rest }, 2)) return false;
  return put_all(out, SIZE_MAX, (const struct slice[]){ SLICE("SRS0"), rest, SLICE("@"), host }, 4);
}

bool srs_back(struct buf *out, struct slice secret, struct slice address, int64_t now_s) {
  struct slice local, domain, rest;
  char kind;
  if (!cut(address, &local, &domain) || !kind_of(local, &kind, &rest)) return false;
  return kind == '0' ? back_first(out, secret, rest, now_s) : back_again(out, secret, rest);
}
