/* SPDX-License-Identifier: ISC */
/* Reads, checks and writes a domain's file of keys (key_file.h). Invariants: a file is accepted
 * only if every line of it is good and its `end` is there; it is replaced whole, by a synced
 * temporary file and a rename; buffers that held secrets are wiped. */
#include "src/keys/key_file.h"

#include <errno.h>
#include <stdio.h>

#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "lib/tls/dkim_key.h"

#define HEAD "qasid-dkim 1"
#define PREFIX "dkim."
enum { NAME = MAIL_DOMAIN_MAX + 16 };

const char *mail_key_state_name(enum mail_key_state s) {
  static const char *const names[MAIL_KEY_STATES] = { "next", "current", "old" };
  return s < MAIL_KEY_STATES ? names[s] : "unknown";
}

void key_file_init(struct key_file *f) { *f = (struct key_file){ .count = 0 }; }

static void wipe(struct file_key *k) {
  buf_free(&k->public_key);
  buf_wipe(&k->secret);
}

void key_file_free(struct key_file *f) {
  for (size_t i = 0; i < f->count; i++) wipe(&f->keys[i]);
  f->count = 0;
}

struct file_key *key_file_add(struct key_file *f) {
  if (f->count == KEY_FILE_KEYS_MAX) return NULL;
  struct file_key *k = &f->keys[f->count++];
  *k = (struct file_key){ .state = MAIL_KEY_NEXT };
  buf_init(&k->public_key, DKIM_KEY_OCTETS);
  buf_init(&k->secret, DKIM_KEY_OCTETS);
  return k;
}

void key_file_remove(struct key_file *f, size_t i) {
  wipe(&f->keys[i]);
  f->count--;
  memmove(&f->keys[i], &f->keys[i + 1], (f->count - i) * sizeof f->keys[0]);
}

struct slice key_file_domain(const char *name) {
  struct slice s = slice_str(name);
  return slice_starts(s, SLICE(PREFIX)) ? slice_from(s, sizeof PREFIX - 1) : SLICE_NONE;
}

/* --- reading --- */

static bool take_word(struct slice word, const char *(*name)(unsigned), unsigned n, unsigned *ret) {
  for (*ret = 0; *ret < n; ++*ret)
    if (slice_eq(word, slice_str(name(*ret)))) return true;
  return false;
}

static const char *state_word(unsigned i) { return mail_key_state_name((enum mail_key_state)i); }
static const char *algorithm_word(unsigned i) {
  return dkim_algorithm_name((enum dkim_algorithm)i);
}

static bool is_selector(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-') return false;
  return s.n > 0 && s.n <= DKIM_SELECTOR_MAX;
}

static bool take_line(struct key_file *f, struct slice line) {
  struct file_key *k = key_file_add(f);
  struct slice state = slice_split(&line, ' '), algorithm = slice_split(&line, ' '),
               selector = slice_split(&line, ' '), since = slice_split(&line, ' '),
               open = slice_split(&line, ' '), secret = line;
  unsigned s, a;
  uint64_t since_s;
  if (!k || !take_word(state, state_word, MAIL_KEY_STATES, &s) ||
      !take_word(algorithm, algorithm_word, DKIM_ALGORITHMS, &a) || !is_selector(selector) ||
      !num_parse(since, INT64_MAX, &since_s))
    return false;
  k->state = (enum mail_key_state)s;
  k->algorithm = (enum dkim_algorithm)a;
  k->since_s = (int64_t)since_s;
  memcpy(k->selector, selector.p, selector.n);
  if (!base64_decode(&k->public_key, open)) return false;
  return slice_eq(secret, SLICE("-")) || base64_decode(&k->secret, secret);
}

static bool take_lines(struct key_file *f, struct slice text) {
  if (!slice_eq(slice_split(&text, '\n'), SLICE(HEAD))) return false;
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    if (slice_eq(line, SLICE("end"))) return text.n == 0 && f->count > 0;
    if (!take_line(f, line)) return false;
  }
  return false;
}

static void file_name(char *to, const char *prefix, const char *domain) {
  snprintf(to, NAME, "%s%s", prefix, domain);
}

/* All octets of an open file. */
static int read_all(struct disk *disk, struct disk_file *file, struct buf *text) {
  int64_t size = disk->ops->size(file);
  if (size < 0) return (int)size;
  uint8_t *at = size <= KEY_FILE_OCTETS ? buf_reserve(text, (size_t)size) : NULL;
  if (!at) return size <= KEY_FILE_OCTETS ? -ENOMEM : -EBADMSG;
  int64_t n = disk->ops->read(file, at, (size_t)size, 0);
  if (n < 0) return (int)n;
  buf_added(text, (size_t)n);
  return 0;
}

int key_file_read(struct disk *disk, const char *domain, struct key_file *f) {
  char name[NAME];
  struct disk_file *file;
  struct buf text;
  file_name(name, PREFIX, domain);
  int e = disk->ops->open(disk, name, DISK_READ, &file);
  if (e) return e;
  buf_init(&text, KEY_FILE_OCTETS);
  e = read_all(disk, file, &text);
  disk->ops->close(&file);
  if (!e && !take_lines(f, buf_slice(&text))) e = -EBADMSG;
  buf_wipe(&text);
  return e;
}

/* --- writing --- */

static void put_text(const struct key_file *f, struct buf *out) {
  buf_put_str(out, HEAD "\n");
  for (size_t i = 0; i < f->count; i++) {
    const struct file_key *k = &f->keys[i];
    buf_printf(out, "%s %s %s %llu ", mail_key_state_name(k->state),
               dkim_algorithm_name(k->algorithm), k->selector, (unsigned long long)k->since_s);
    base64_put(out, buf_slice(&k->public_key));
    buf_put_u8(out, ' ');
    if (buf_len(&k->secret))
      base64_put(out, buf_slice(&k->secret));
    else
      buf_put_u8(out, '-');
    buf_put_u8(out, '\n');
  }
  buf_put_str(out, "end\n");
}

/* Writes a temporary file, syncs it, and renames it over the former. */
static int write_text(struct disk *disk, const char *domain, struct slice text) {
  char name[NAME], fresh[NAME];
  struct disk_file *file;
  file_name(name, PREFIX, domain);
  file_name(fresh, "new.", domain);
  disk->ops->remove(disk, fresh); /* left by a process that was interrupted here */
  int e = disk->ops->open(disk, fresh, DISK_CREATE, &file);
  if (e) return e;
  e = disk->ops->write(file, text, 0);
  if (!e) e = disk->ops->sync(file);
  disk->ops->close(&file);
  if (!e) e = disk->ops->rename(disk, fresh, name);
  return e ? e : disk->ops->sync_dir(disk, ".");
}

int key_file_write(struct disk *disk, const char *domain, const struct key_file *f) {
  struct buf text;
  buf_init(&text, KEY_FILE_OCTETS);
  put_text(f, &text);
  int e = text.failed ? -ENOMEM : write_text(disk, domain, buf_slice(&text));
  buf_wipe(&text);
  return e;
}

int key_file_remove_all(struct disk *disk, const char *domain) {
  char name[NAME];
  file_name(name, PREFIX, domain);
  int e = disk->ops->remove(disk, name);
  return e ? e : disk->ops->sync_dir(disk, ".");
}
