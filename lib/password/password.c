/* SPDX-License-Identifier: ISC */
/* Password hashes through libcrypt: new yescrypt hashes, verification of the schemes in the
 * table below, hashes imported from other servers.
 * Invariants: a password with a NUL, an empty one or one above PASSWORD_MAX octets is never
 * hashed; a hash whose cost is out of range is not accepted at import; libcrypt's work area,
 * which holds the password, is wiped before it is freed. */
#include "lib/password/password.h"

#include "lib/base/num.h"
#include "lib/unicode/prepare.h"

#include <crypt.h>
#include <stdlib.h>

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

/* --- schemes --- */

/* bcrypt's cost, the two digits after "$2b$": 2^16 rounds take seconds. */
static bool bcrypt_cost_ok(struct slice rest) {
  uint64_t cost = 0;
  return num_parse(slice_first(rest, 2), 16, &cost) && cost >= 4 && slice_at(rest, 2) == '$';
}

/* SHA-crypt's "rounds=N$", 5000 by default. */
static bool sha_cost_ok(struct slice rest) {
  uint64_t rounds = 0;
  if (!slice_starts(rest, SLICE("rounds="))) return true;
  rest = slice_from(rest, 7);
  return num_parse(slice_split(&rest, '$'), 5000000, &rounds) && rounds >= 1000;
}

/* yescrypt's flavour "j" and its block count, one of "./0-9A-Z…": what crypt_gensalt makes
 * (crypt(5)) at most is "jF", 256 MiB. */
static bool yescrypt_cost_ok(struct slice rest) {
  int count = slice_at(rest, 1);
  return slice_at(rest, 0) == 'j' && (ascii_is_digit(count) || (count >= 'A' && count <= 'F'));
}

static bool any_cost(struct slice rest) { return rest.n > 0; }

/* The forms of a hash. crypt(5) names them; "$2x$" (a broken bcrypt), DES and NT are not verified.
 */
static const struct scheme {
  const char *prefix, *dovecot;
  bool (*cost_ok)(struct slice rest);
} schemes[] = {
  { "$y$", NULL, yescrypt_cost_ok },       { "$2b$", "BLF-CRYPT", bcrypt_cost_ok },
  { "$2y$", "BLF-CRYPT", bcrypt_cost_ok }, { "$2a$", "BLF-CRYPT", bcrypt_cost_ok },
  { "$6$", "SHA512-CRYPT", sha_cost_ok },  { "$5$", "SHA256-CRYPT", sha_cost_ok },
  { "$1$", "MD5-CRYPT", any_cost },
};

static const struct scheme *scheme_of(struct slice hash) {
  for (size_t i = 0; i < COUNT_OF(schemes); i++) {
    struct slice prefix = slice_str(schemes[i].prefix);
    if (slice_starts(hash, prefix))
      return schemes[i].cost_ok(slice_from(hash, prefix.n)) ? &schemes[i] : NULL;
  }
  return NULL;
}

/* crypt(5)'s base64. */
static bool is_base64(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != '/')
      return false;
  return true;
}

/* What libcrypt reads: all fields of yescrypt and bcrypt; a salt of the others may have any
 * character. */
static bool is_readable(struct slice hash) {
  bool all = slice_starts(hash, SLICE("$y$")) || slice_starts(hash, SLICE("$2"));
  for (struct slice rest = hash; rest.p;) {
    struct slice field = slice_split(&rest, '$');
    if ((all || !rest.p) && !is_base64(field)) return false;
  }
  return true;
}

/* The characters of its digest, the last field of crypt(5)'s forms; bcrypt's salt and digest are
 * one field. */
bool password_is_whole(struct slice hash) {
  static const struct {
    const char *prefix;
    size_t digest;
  } forms[] = {
    { "$y$", 43 }, { "$2", 53 }, { "$6$", 86 }, { "$5$", 43 }, { "$1$", 22 },
  };
  char setting[PASSWORD_HASH_MAX];
  ptrdiff_t last = slice_rfind(hash, '$');
  if (last < 0 || hash.n >= sizeof setting || slice_find(hash, 0) >= 0) return false;
  memcpy(setting, hash.p, hash.n);
  setting[hash.n] = 0;
  int known = crypt_checksalt(setting);
  if (known != CRYPT_SALT_OK && known != CRYPT_SALT_METHOD_LEGACY && known != CRYPT_SALT_TOO_CHEAP)
    return false;
  for (size_t i = 0; i < COUNT_OF(forms); i++)
    if (slice_starts(hash, slice_str(forms[i].prefix)))
      return hash.n - (size_t)last - 1 == forms[i].digest && is_readable(hash);
  return false;
}

static bool is_graph(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_graph(s.p[i])) return false;
  return s.n > 0;
}

static bool is_clear_scheme(struct slice name) {
  return slice_caseeq(name, SLICE("PLAIN")) || slice_caseeq(name, SLICE("CLEARTEXT")) ||
         slice_caseeq(name, SLICE("CLEAR"));
}

enum password_import password_import(struct slice field, struct slice *ret) {
  struct slice name = SLICE_NONE, hash = field;
  if (slice_at(field, 0) == '{') {
    hash = slice_from(field, 1);
    name = slice_split(&hash, '}');
    if (!hash.p) return IMPORT_UNKNOWN;
  }
  *ret = hash;
  if (name.p && is_clear_scheme(name)) return IMPORT_CLEAR;
  const struct scheme *s = scheme_of(hash);
  if (!s || hash.n >= PASSWORD_HASH_MAX || !is_graph(hash)) return IMPORT_UNKNOWN;
  /* {CRYPT} says only that crypt(3) verifies it; any other name must be the hash's own. */
  bool named = !name.p || slice_caseeq(name, SLICE("CRYPT")) ||
               (s->dovecot && slice_caseeq(name, slice_str(s->dovecot)));
  return named ? IMPORT_HASH : IMPORT_UNKNOWN;
}

/* --- libcrypt --- */

/* What crypt_rn works on: strings, and 32 KiB of its own. */
struct hash_work {
  struct crypt_data data;
  char password[PASSWORD_MAX + 1], setting[PASSWORD_HASH_MAX];
};

/* crypt(3) reads to a NUL: a password with one in it would be cut short there. */
static bool can_be_password(struct slice password) {
  return password.n > 0 && password.n <= PASSWORD_MAX && slice_find(password, 0) < 0;
}

static void work_free(struct hash_work *w) {
  explicit_bzero(w, sizeof *w);
  free(w);
}

static struct hash_work *work_new(struct slice password, struct slice setting) {
  if (setting.n >= PASSWORD_HASH_MAX || slice_find(setting, 0) >= 0) return NULL;
  struct hash_work *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  memcpy(w->password, password.p, password.n);
  if (setting.n) memcpy(w->setting, setting.p, setting.n);
  return w;
}

static enum password_result crypt_into(struct slice password, struct slice setting,
                                       struct buf *out) {
  struct hash_work *w = work_new(password, setting);
  if (!w) return PASSWORD_TROUBLE;
  const char *hash = crypt_rn(w->password, w->setting, &w->data, sizeof w->data);
  if (hash) buf_put_str(out, hash);
  work_free(w);
  return hash && !out->failed ? PASSWORD_OK : PASSWORD_TROUBLE;
}

static enum password_result verify_octets(struct slice password, struct slice hash) {
  struct buf made;
  buf_init(&made, PASSWORD_HASH_MAX);
  enum password_result r = crypt_into(password, hash, &made);
  if (r == PASSWORD_OK && !slice_secret_eq(buf_slice(&made), hash)) r = PASSWORD_WRONG;
  buf_wipe(&made);
  return r;
}

/* RFC 8265 §4.2, if it applies and the result is not longer than libcrypt accepts. Otherwise
 * unchanged. */
static struct slice prepared(struct slice password, struct buf *room) {
  buf_init(room, PASSWORD_MAX);
  return prepare_password(password, room) ? buf_slice(room) : password;
}

enum password_result password_verify(struct slice password, struct slice hash) {
  struct buf room;
  if (!can_be_password(password)) return PASSWORD_REFUSED;
  struct slice meant = prepared(password, &room);
  enum password_result r = verify_octets(meant, hash);
  /* Older hashes, and those of other servers, are of the octets as typed. */
  if (r == PASSWORD_WRONG && !slice_eq(meant, password)) r = verify_octets(password, hash);
  buf_wipe(&room);
  return r;
}

/* 16 octets of salt, the cost that crypt(5) calls the default. */
static bool new_setting(const uint8_t random[PASSWORD_RANDOM],
                        char ret[CRYPT_GENSALT_OUTPUT_SIZE]) {
  return crypt_gensalt_rn("$y$", 0, (const char *)random, 16, ret, CRYPT_GENSALT_OUTPUT_SIZE) !=
         NULL;
}

enum password_result password_hash(struct slice password, const uint8_t random[PASSWORD_RANDOM],
                                   struct buf *out) {
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  struct buf room;
  if (!can_be_password(password)) return PASSWORD_REFUSED;
  if (!new_setting(random, setting)) return PASSWORD_TROUBLE;
  enum password_result r = crypt_into(prepared(password, &room), slice_str(setting), out);
  buf_wipe(&room);
  return r;
}

/* A yescrypt hash ends in "$" and 43 characters of crypt's base64; random ones are no password's.
 */
enum password_result password_nobody(const uint8_t random[PASSWORD_RANDOM], struct buf *out) {
  static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (!new_setting(random, setting)) return PASSWORD_TROUBLE;
  buf_put_str(out, setting);
  buf_put_u8(out, '$');
  for (size_t i = 0; i < 43; i++)
    buf_put_u8(out, (uint8_t)digits[random[16 + i % 16] >> (i / 16) & 63]);
  return out->failed ? PASSWORD_TROUBLE : PASSWORD_OK;
}

/* Without 0, 1, l and o, which are mistaken for each other: 32 characters, five bits each. */
void password_generate(const uint8_t random[PASSWORD_RANDOM], struct buf *out) {
  static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
  for (size_t i = 0; i < 20; i++) {
    if (i && i % 4 == 0) buf_put_u8(out, '-');
    buf_put_u8(out, (uint8_t)letters[random[i] & 31]);
  }
}
