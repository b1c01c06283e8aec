/* SPDX-License-Identifier: ISC */
#include "tests/world/conv_text.h"

#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "mail/sasl/sasl.h"

/* In either case. */
static int escape_digit(int c) { return hex_digit(c >= 'A' && c <= 'F' ? c | 32 : c); }

void conv_unescape(struct slice s, struct buf *out) {
  static const char from[] = "rn0t\\", to[] = "\r\n\0\t\\";
  for (size_t i = 0; i < s.n; i++) {
    int next = slice_at(s, i + 1);
    const char *simple = next > 0 && s.p[i] == '\\' ? memchr(from, next, sizeof from - 1) : NULL;
    if (simple) {
      buf_put_u8(out, (uint8_t)to[simple - from]);
      i++;
    } else if (s.p[i] == '\\' && next == 'x' && escape_digit(slice_at(s, i + 3)) >= 0) {
      buf_put_u8(
          out, (uint8_t)(escape_digit(slice_at(s, i + 2)) * 16 + escape_digit(slice_at(s, i + 3))));
      i += 3;
    } else {
      buf_put_u8(out, s.p[i]);
    }
  }
}

/* -- what stands in braces -- */

static void put_repeat(struct slice args, const struct conv_memory *m, struct buf *out) {
  uint64_t n = 0;
  (void)m;
  num_parse(slice_split(&args, ' '), 100000000, &n);
  struct buf text;
  buf_init(&text, 64 * 1024);
  conv_unescape(args, &text);
  while (n-- && !out->failed) buf_put(out, buf_slice(&text));
  buf_free(&text);
}

static void put_base64(struct slice args, const struct conv_memory *m, struct buf *out) {
  (void)m;
  struct buf text;
  buf_init(&text, 64 * 1024);
  conv_unescape(args, &text);
  base64_put(out, buf_slice(&text));
  buf_free(&text);
}

/* RFC 1939 §7: the digest of the timestamp, brackets included, and the secret. */
static void put_apop(struct slice args, const struct conv_memory *m, struct buf *out) {
  struct slice greeting = slice_str(m->greeting);
  ptrdiff_t from = slice_find(greeting, '<'), to = slice_rfind(greeting, '>');
  if (from < 0 || to < from) return;
  uint8_t digest[DIGEST_MAX];
  const struct slice parts[] = { slice_from(slice_first(greeting, (size_t)to + 1), (size_t)from),
                                 args };
  digest_parts(DIGEST_MD5, parts, 2, digest);
  hex_put(out, slice_of(digest, DIGEST_MD5_SIZE));
}

/* RFC 2195 §2: name, space, keyed digest of the challenge, in base64. */
static void put_cram(struct slice args, const struct conv_memory *m, struct buf *out) {
  struct slice user = slice_split(&args, ' ');
  struct buf challenge, text;
  uint8_t digest[DIGEST_MAX];
  buf_init(&challenge, 4096);
  buf_init(&text, 4096);
  base64_decode(&challenge, slice_str(m->challenge));
  digest_hmac(DIGEST_MD5, args, buf_slice(&challenge), digest);
  buf_put(&text, user);
  buf_put_u8(&text, ' ');
  hex_put(&text, slice_of(digest, DIGEST_MD5_SIZE));
  base64_put(out, buf_slice(&text));
  buf_free(&challenge);
  buf_free(&text);
}

/* RFC 7677: the last message of a client whose first was "n,,n=USER,r=" and CONV_NONCE. */
static void put_scram(struct slice args, const struct conv_memory *m, struct buf *out) {
  struct slice user = slice_split(&args, ' ');
  struct buf challenge, text;
  struct sasl_client c;
  buf_init(&challenge, 4096);
  buf_init(&text, 4096);
  base64_decode(&challenge, slice_str(m->challenge));
  sasl_client_start(&c, sasl_find(SLICE("SCRAM-SHA-256")), user, args, SLICE_NONE,
                    SLICE(CONV_NONCE));
  sasl_client_step(&c, false, SLICE_NONE, &text);
  buf_reset(&text);
  sasl_client_step(&c, true, buf_slice(&challenge), &text);
  base64_put(out, buf_slice(&text));
  sasl_client_end(&c);
  buf_free(&challenge);
  buf_free(&text);
}

static const struct {
  const char *word;
  void (*put)(struct slice args, const struct conv_memory *m, struct buf *out);
} makers[] = {
  /* clang-format off */
  { "repeat", put_repeat }, { "base64", put_base64 }, { "apop", put_apop }, { "cram", put_cram },
  { "scram", put_scram },
  /* clang-format on */
};

static const char *remembered(const struct conv_memory *m, struct slice name) {
  for (size_t i = 0; i < m->count; i++)
    if (slice_eq(slice_str(m->names[i].name), name)) return m->names[i].value;
  return NULL;
}

/* Puts what {inside} stands for. False: nothing of ours, so it is text. */
static bool put_braces(struct slice inside, const struct conv_memory *m, struct buf *out) {
  const char *value = remembered(m, inside);
  struct slice args = inside, word = slice_split(&args, ' ');
  if (value) buf_put_str(out, value);
  for (size_t i = 0; !value && args.n && i < sizeof makers / sizeof *makers; i++)
    if (slice_eq(word, slice_str(makers[i].word))) {
      makers[i].put(args, m, out);
      return true;
    }
  return value != NULL;
}

void conv_expand(struct slice s, const struct conv_memory *m, struct buf *out) {
  while (s.n) {
    ptrdiff_t close = s.p[0] == '{' ? slice_find(s, '}') : -1;
    if (close > 0 && put_braces(slice_from(slice_first(s, (size_t)close), 1), m, out)) {
      s = slice_from(s, (size_t)close + 1);
    } else {
      buf_put_u8(out, s.p[0]);
      s = slice_from(s, 1);
    }
  }
}

/* -- wildcards -- */

static void remember(struct conv_memory *m, struct slice name, struct slice value) {
  size_t i = 0;
  while (i < m->count && !slice_eq(slice_str(m->names[i].name), name)) i++;
  if (i == CONV_NAMES || name.n >= sizeof m->names[i].name || value.n >= sizeof m->names[i].value)
    return;
  if (i == m->count) m->count++;
  memcpy(m->names[i].name, name.p, name.n);
  m->names[i].name[name.n] = 0;
  if (value.n) memcpy(m->names[i].value, value.p, value.n);
  m->names[i].value[value.n] = 0;
}

/* How long the wildcard at the front of the pattern is; 0: there is none. `*ret_name` is what it is
 * remembered as. */
static size_t wildcard(struct slice pattern, struct slice *ret_name) {
  *ret_name = SLICE_NONE;
  if (slice_starts(pattern, SLICE("..."))) return 3;
  ptrdiff_t close = slice_starts(pattern, SLICE("{=")) ? slice_find(pattern, '}') : -1;
  if (close < 0) return 0;
  *ret_name = slice_from(slice_first(pattern, (size_t)close), 2);
  return (size_t)close + 1;
}

/* Literal text up to the next wildcard. */
static struct slice literal(struct slice pattern) {
  struct slice name;
  size_t n = 0;
  while (n < pattern.n && !wildcard(slice_from(pattern, n), &name)) n++;
  return slice_first(pattern, n);
}

/* After a wildcard: the first place where `next` stands, or, when it ends the pattern, the last. */
static ptrdiff_t place(struct slice line, struct slice next, bool last) {
  if (!last) return slice_search(line, next);
  if (line.n < next.n || !slice_eq(slice_from(line, line.n - next.n), next)) return -1;
  return (ptrdiff_t)(line.n - next.n);
}

bool conv_match(struct slice raw, struct slice line, struct conv_memory *m) {
  struct buf expanded;
  buf_init(&expanded, 64 * 1024);
  conv_expand(raw, m, &expanded);
  struct slice pattern = buf_slice(&expanded), name, head = literal(pattern);
  struct conv_memory found = *m;
  bool ok = slice_starts(line, head);
  pattern = slice_from(pattern, head.n);
  line = slice_from(line, head.n);
  while (ok && pattern.n) {
    pattern = slice_from(pattern, wildcard(pattern, &name));
    struct slice next = literal(pattern);
    ptrdiff_t at = place(line, next, next.n == pattern.n);
    ok = at >= 0;
    if (!ok) break;
    if (name.n) remember(&found, name, slice_first(line, (size_t)at));
    line = slice_from(line, (size_t)at + next.n);
    pattern = slice_from(pattern, next.n);
  }
  ok = ok && !line.n;
  if (ok) *m = found;
  buf_free(&expanded);
  return ok;
}
