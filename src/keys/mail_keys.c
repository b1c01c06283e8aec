/* SPDX-License-Identifier: ISC */
/* The keys that sign mail, by domain (mail_keys.h has invariants and a key's states). A change is
 * made in the file first, durably, then in memory; after an error the file is read again, and if
 * that fails the keys in memory stay in use. The domains are sorted by name. */
#include "src/keys/mail_keys.h"

#include <errno.h>
#include <stdlib.h>

#include "mail/date.h"
#include "lib/tls/dkim_key.h"
#include "src/keys/key_file.h"

/* A domain with keys; without signers, they are unusable. */
struct mail_domain {
  char name[MAIL_DOMAIN_MAX + 1];
  struct dkim_key *signers[DKIM_ALGORITHMS];
  char selectors[DKIM_ALGORITHMS][DKIM_SELECTOR_MAX + 1];
};

struct mail_keys {
  struct disk *disk;
  struct mail_domain *domains[MAIL_DOMAINS_MAX]; /* in the order of names */
  size_t count;
  bool unreadable; /* the folder could not be listed: which domains have keys is unknown */
};

/* --- domains --- */

/* A host name in lower case that is valid as a file name. */
static bool is_domain(struct slice s) {
  int before = '.';
  if (s.n == 0 || s.n > MAIL_DOMAIN_MAX) return false;
  for (size_t i = 0; i < s.n; i++) {
    int c = s.p[i];
    if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && c != '-' && c != '_' &&
        (c != '.' || before == '.'))
      return false;
    before = c;
  }
  return before != '.';
}

/* Its index, or where it would be inserted. */
static size_t place_of(const struct mail_keys *m, struct slice name, bool *ret_there) {
  size_t low = 0, high = m->count;
  *ret_there = false;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int c = slice_cmp(slice_str(m->domains[middle]->name), name);
    if (c == 0) *ret_there = true;
    if (c < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static struct mail_domain *find(const struct mail_keys *m, struct slice name) {
  bool there;
  size_t i = place_of(m, name, &there);
  return there ? m->domains[i] : NULL;
}

static struct mail_domain *find_or_add(struct mail_keys *m, struct slice name) {
  bool there;
  size_t i = place_of(m, name, &there);
  if (there) return m->domains[i];
  struct mail_domain *d = m->count < MAIL_DOMAINS_MAX ? calloc(1, sizeof *d) : NULL;
  if (!d) return NULL;
  memcpy(d->name, name.p, name.n);
  memmove(&m->domains[i + 1], &m->domains[i], (m->count - i) * sizeof m->domains[0]);
  m->domains[i] = d;
  m->count++;
  return d;
}

static void drop_signers(struct mail_domain *d) {
  for (int a = 0; a < DKIM_ALGORITHMS; a++) dkim_key_free(&d->signers[a]);
}

static void drop_domain(struct mail_keys *m, struct slice name) {
  bool there;
  size_t i = place_of(m, name, &there);
  if (!there) return;
  drop_signers(m->domains[i]);
  free(m->domains[i]);
  m->count--;
  memmove(&m->domains[i], &m->domains[i + 1], (m->count - i) * sizeof m->domains[0]);
}

static bool is_usable(const struct mail_domain *d) {
  for (int a = 0; a < DKIM_ALGORITHMS; a++)
    if (!d->signers[a]) return false;
  return true;
}

/* The current keys of a file replace those in memory. */
static void use(struct mail_domain *d, const struct key_file *f) {
  drop_signers(d);
  for (size_t i = 0; i < f->count; i++) {
    const struct file_key *k = &f->keys[i];
    if (k->state != MAIL_KEY_CURRENT || d->signers[k->algorithm]) continue;
    d->signers[k->algorithm] = dkim_key_load(k->algorithm, buf_slice(&k->secret));
    memcpy(d->selectors[k->algorithm], k->selector, sizeof k->selector);
  }
  if (!is_usable(d)) drop_signers(d);
}

/* --- life --- */

static void load_one(void *arg, const char *name) {
  struct mail_keys *m = arg;
  struct slice domain = key_file_domain(name);
  struct mail_domain *d = is_domain(domain) ? find_or_add(m, domain) : NULL;
  struct key_file f;
  if (!is_domain(domain)) return;
  m->unreadable |= !d; /* beyond the maximum */
  if (!d) return;
  key_file_init(&f);
  if (key_file_read(m->disk, d->name, &f) == 0) use(d, &f);
  key_file_free(&f);
}

struct mail_keys *mail_keys_new(struct disk *disk) {
  struct mail_keys *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->disk = disk;
  if (disk->ops->list(disk, ".", load_one, m) != 0) m->unreadable = true;
  return m;
}

void mail_keys_free(struct mail_keys **m) {
  if (!*m) return;
  while ((*m)->count) drop_domain(*m, slice_str((*m)->domains[0]->name));
  free(*m);
  *m = NULL;
}

size_t mail_keys_count(const struct mail_keys *m, size_t *ret_unreadable) {
  *ret_unreadable = m->unreadable;
  for (size_t i = 0; i < m->count; i++) *ret_unreadable += !is_usable(m->domains[i]);
  return m->count;
}

/* --- signing --- */

static bool sign_one(struct mail_domain *d, enum dkim_algorithm a, const struct dkim_sign *q,
                     int64_t now_s, struct buf *input, struct buf *fields) {
  struct buf signature;
  struct dkim_signature s = { .algorithm = a,
                              .domain = slice_str(d->name),
                              .selector = slice_str(d->selectors[a]),
                              .names = q->names,
                              .signed_s = (uint64_t)now_s };
  size_t given = buf_len(input);
  memcpy(s.body_hash, q->body_hash.p, sizeof s.body_hash);
  buf_init(&signature, 1024);
  dkim_open(&s, fields, input);
  bool ok = !input->failed && dkim_key_sign(d->signers[a], buf_slice(input), &signature);
  if (ok) dkim_close(fields, buf_slice(&signature));
  buf_truncate(input, given);
  buf_free(&signature);
  return ok && !fields->failed;
}

enum sign_outcome mail_keys_sign(struct mail_keys *m, const struct dkim_sign *q, int64_t now_s,
                                 struct buf *fields) {
  struct mail_domain *d = find(m, q->domain);
  struct buf input;
  if (!d) return m->unreadable ? SIGN_UNREADABLE : SIGN_NO_KEY;
  if (!is_usable(d)) return SIGN_UNREADABLE;
  buf_init(&input, DKIM_INPUT_MAX + DKIM_FIELD_MAX);
  buf_put(&input, q->input);
  /* RSA first: some verifiers examine the first signature only, and do not support the other */
  bool ok = true;
  for (int a = 0; ok && a < DKIM_ALGORITHMS; a++)
    ok = sign_one(d, (enum dkim_algorithm)a, q, now_s, &input, fields);
  buf_free(&input);
  return ok ? SIGN_DONE : SIGN_UNREADABLE;
}

/* --- the administrator's commands --- */

static enum cli_code fail_because(struct buf *why, enum cli_code code, const char *words,
                                  struct slice domain) {
  buf_printf(why, "%.*s: %s", SLICE_ARG(domain), words);
  return code;
}

/* The domain's file. CLI_NOT_FOUND without a sentence: there is none. */
static enum cli_code open_file(struct mail_keys *m, struct slice domain, struct key_file *f,
                               struct buf *why) {
  char name[MAIL_DOMAIN_MAX + 1] = "";
  key_file_init(f);
  if (!is_domain(domain)) {
    buf_put_str(why, "that is not a domain name");
    return CLI_USAGE;
  }
  memcpy(name, domain.p, domain.n);
  int e = key_file_read(m->disk, name, f);
  if (e == 0) return CLI_OK;
  key_file_free(f);
  if (e == -ENOENT) return CLI_NOT_FOUND;
  buf_printf(why, "the file of the keys of %s cannot be read: %s", name,
             e == -EBADMSG ? "it is damaged" : strerror(-e));
  return e == -EBADMSG ? CLI_DAMAGE : CLI_TROUBLE;
}

static enum cli_code open_known(struct mail_keys *m, struct slice domain, struct key_file *f,
                                struct buf *why) {
  enum cli_code code = open_file(m, domain, f, why);
  return code == CLI_NOT_FOUND
             ? fail_because(why, code, "has no keys (qasid dkim rotate makes them)", domain)
             : code;
}

/* After a failure: uses the file's present keys; if it cannot be read, those used before. */
static void use_what_is_there(struct mail_keys *m, struct mail_domain *d) {
  struct key_file f;
  key_file_init(&f);
  int e = key_file_read(m->disk, d->name, &f);
  if (!e) use(d, &f);
  key_file_free(&f);
  if (e == -ENOENT) drop_domain(m, slice_str(d->name));
}

/* Writes the changed file durably, then uses it. */
static enum cli_code keep(struct mail_keys *m, struct slice domain, struct key_file *f,
                          struct buf *why) {
  struct mail_domain *d = find_or_add(m, domain);
  int e = d ? key_file_write(m->disk, d->name, f) : -ENOMEM;
  if (!e)
    use(d, f);
  else if (d)
    use_what_is_there(m, d);
  key_file_free(f);
  if (!e) return CLI_OK;
  buf_printf(why, "the keys of %.*s cannot be written: %s", SLICE_ARG(domain),
             d ? strerror(-e) : "there are keys for as many domains as can be");
  return CLI_TROUBLE;
}

static size_t count_state(const struct key_file *f, enum mail_key_state s) {
  size_t n = 0;
  for (size_t i = 0; i < f->count; i++) n += f->keys[i].state == s;
  return n;
}

static bool has_selector(const struct key_file *f, struct slice selector) {
  for (size_t i = 0; i < f->count; i++)
    if (slice_eq(slice_str(f->keys[i].selector), selector)) return true;
  return false;
}

/* "20261128a7-rsa": the selector of a key that was retired, or forgotten with its domain, is not
 * soon reused. */
static void choose_selector(const struct key_file *f, enum dkim_algorithm a, int64_t now_s,
                            uint8_t chance, char to[static DKIM_SELECTOR_MAX + 1]) {
  struct buf text;
  buf_init(&text, DKIM_SELECTOR_MAX);
  do {
    buf_reset(&text);
    date_put_day(&text, now_s);
    buf_printf(&text, "%02x-%s", chance++, a == DKIM_RSA ? "rsa" : "ed");
  } while (has_selector(f, buf_slice(&text)));
  memcpy(to, buf_slice(&text).p, buf_len(&text));
  buf_free(&text);
}

static bool add_key(struct key_file *f, enum dkim_algorithm a, enum mail_key_state state,
                    int64_t now_s, uint8_t chance) {
  char selector[DKIM_SELECTOR_MAX + 1] = "";
  choose_selector(f, a, now_s, chance, selector);
  struct file_key *k = key_file_add(f);
  if (!k) return false;
  memcpy(k->selector, selector, sizeof selector);
  k->state = state;
  k->algorithm = a;
  k->since_s = now_s;
  return dkim_key_make(a, &k->secret, &k->public_key);
}

enum cli_code mail_keys_make(struct mail_keys *m, struct slice domain, int64_t now_s,
                             uint8_t chance, struct buf *why) {
  struct key_file f;
  enum cli_code code = open_file(m, domain, &f, why);
  if (code != CLI_OK && code != CLI_NOT_FOUND) return code;
  enum mail_key_state state = code == CLI_NOT_FOUND ? MAIL_KEY_CURRENT : MAIL_KEY_NEXT;
  code = CLI_OK;
  if (count_state(&f, MAIL_KEY_NEXT))
    code = fail_because(why, CLI_EXISTS, "has next keys already", domain);
  else if (f.count + DKIM_ALGORITHMS > KEY_FILE_KEYS_MAX)
    code = fail_because(why, CLI_REFUSED, "has too many keys; retire old ones (qasid dkim retire)",
                        domain);
  for (int a = 0; code == CLI_OK && a < DKIM_ALGORITHMS; a++)
    if (!add_key(&f, (enum dkim_algorithm)a, state, now_s, chance))
      code = fail_because(why, CLI_TROUBLE, "no key can be made now", domain);
  if (code == CLI_OK) return keep(m, domain, &f, why);
  key_file_free(&f);
  return code;
}

enum cli_code mail_keys_switch(struct mail_keys *m, struct slice domain, int64_t now_s,
                               struct buf *why) {
  struct key_file f;
  enum cli_code code = open_known(m, domain, &f, why);
  if (code != CLI_OK) return code;
  if (!count_state(&f, MAIL_KEY_NEXT)) {
    key_file_free(&f);
    return fail_because(why, CLI_NOT_FOUND, "has no next keys", domain);
  }
  for (size_t i = 0; i < f.count; i++) {
    struct file_key *k = &f.keys[i];
    if (k->state == MAIL_KEY_OLD) continue;
    if (k->state == MAIL_KEY_CURRENT) buf_wipe(&k->secret);
    k->state = k->state == MAIL_KEY_NEXT ? MAIL_KEY_CURRENT : MAIL_KEY_OLD;
    k->since_s = now_s;
  }
  return keep(m, domain, &f, why);
}

enum cli_code mail_keys_retire(struct mail_keys *m, struct slice domain, bool forced, int64_t now_s,
                               struct buf *why) {
  struct key_file f;
  size_t gone = 0;
  enum cli_code code = open_known(m, domain, &f, why);
  if (code != CLI_OK) return code;
  for (size_t i = f.count; i > 0; i--) {
    const struct file_key *k = &f.keys[i - 1];
    if (k->state != MAIL_KEY_OLD || (!forced && now_s - k->since_s < MAIL_RETIRE_S)) continue;
    key_file_remove(&f, i - 1);
    gone++;
  }
  size_t left = count_state(&f, MAIL_KEY_OLD);
  if (gone)
    code = keep(m, domain, &f, why);
  else
    key_file_free(&f);
  if (code != CLI_OK) return code;
  if (left)
    return fail_because(
        why, CLI_REFUSED,
        "mail signed with old keys may still be under way; they can go a week after they were "
        "replaced, or with --force",
        domain);
  return gone ? CLI_OK : fail_because(why, CLI_NOT_FOUND, "has no old keys", domain);
}

enum cli_code mail_keys_forget(struct mail_keys *m, struct slice domain, struct buf *why) {
  char name[MAIL_DOMAIN_MAX + 1] = "";
  if (!is_domain(domain)) return fail_because(why, CLI_USAGE, "is not a domain name", domain);
  memcpy(name, domain.p, domain.n);
  int e = key_file_remove_all(m->disk, name);
  if (e && e != -ENOENT) {
    buf_printf(why, "the keys of %s cannot be removed: %s", name, strerror(-e));
    return CLI_TROUBLE;
  }
  drop_domain(m, domain);
  return CLI_OK;
}

static enum cli_code list_one(struct mail_keys *m, struct slice domain,
                              void (*fn)(void *arg, const struct mail_key_row *row), void *arg,
                              struct buf *why) {
  struct key_file f;
  char name[MAIL_DOMAIN_MAX + 1] = "";
  enum cli_code code = open_file(m, domain, &f, why);
  if (code != CLI_OK) return code == CLI_NOT_FOUND ? CLI_OK : code;
  memcpy(name, domain.p, domain.n);
  for (size_t i = 0; i < f.count; i++)
    fn(arg, &(struct mail_key_row){ name, f.keys[i].selector, f.keys[i].algorithm, f.keys[i].state,
                                    f.keys[i].since_s, buf_slice(&f.keys[i].public_key) });
  key_file_free(&f);
  return CLI_OK;
}

/* A domain whose file is unusable does not hide the others; the last error is reported. */
enum cli_code mail_keys_list(struct mail_keys *m, struct slice domain,
                             void (*fn)(void *arg, const struct mail_key_row *row), void *arg,
                             struct buf *why) {
  enum cli_code worst = CLI_OK;
  if (domain.n) return list_one(m, domain, fn, arg, why);
  for (size_t i = 0; i < m->count; i++) {
    struct buf one;
    buf_init(&one, 512);
    enum cli_code code = list_one(m, slice_str(m->domains[i]->name), fn, arg, &one);
    if (code != CLI_OK) {
      worst = code;
      buf_reset(why);
      buf_put(why, buf_slice(&one));
    }
    buf_free(&one);
  }
  if (m->unreadable && worst == CLI_OK) {
    buf_put_str(why, "the folder of the keys cannot be read whole");
    worst = CLI_TROUBLE;
  }
  return worst;
}
