/* SPDX-License-Identifier: ISC */
/* A file of accounts (bulk.h): reads and checks all rows, hashes passwords on all processors, and
 * sends the rows to auth and store. Invariants: all mistakes of form are found before anything is
 * sent; only the first few are printed, all are counted; passwords are wiped with the text. */
#include "src/cli/admin/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/map.h"
#include "lib/base/num.h"
#include "lib/base/sys.h"
#include "lib/json/json.h"
#include "lib/password/password.h"
#include "src/cli/base/csv.h"
#include "src/cli/base/secret.h"

enum {
  FILE_MAX = 64 * 1024 * 1024,
  MEMORY_MAX = 256 * 1024 * 1024,
  PART_MAX = 48 * 1024, /* octets of rows in one command */
  THREADS_MAX = 64,
  STDERR_MAX = 100, /* mistakes that are printed one by one */
};

struct bulk_mistake {
  unsigned line;
  size_t number; /* in the order in which they were found */
  struct slice text;
};

void bulk_mistake(struct bulk_file *f, unsigned line, const char *fmt, ...) {
  char text[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  map_put(&f->wrong_lines, line, 1);
  if (!f->first_mistakes) f->first_mistakes = calloc(BULK_MISTAKES_MAX, sizeof *f->first_mistakes);
  if (f->first_mistakes && f->mistakes < BULK_MISTAKES_MAX)
    f->first_mistakes[f->mistakes] =
        (struct bulk_mistake){ line, f->mistakes, arena_copy(&f->mem, slice_str(text)) };
  f->mistakes++;
}

static int by_line(const void *x, const void *y) {
  const struct bulk_mistake *a = x, *b = y;
  return a->line != b->line ? (a->line > b->line) - (a->line < b->line)
                            : (a->number > b->number) - (a->number < b->number);
}

static void put_mistakes(struct bulk_file *f, size_t count, struct json_value *to) {
  for (size_t i = 0; i < count; i++) {
    const struct bulk_mistake *m = &f->first_mistakes[i];
    struct json_value *row = to ? json_new_object() : NULL;
    if (!to) {
      cli_fail(0, "%s:%u: %.*s", f->name, m->line, SLICE_ARG(m->text));
      continue;
    }
    json_put_number(row, "line", m->line);
    json_put_text(row, "what", m->text);
    json_put_item(to, row);
  }
}

/* Prints them once; on standard error no more than fits a screen. */
static void print_mistakes(struct bulk_file *f) {
  size_t count = f->mistakes < BULK_MISTAKES_MAX ? f->mistakes : BULK_MISTAKES_MAX;
  if (f->told || !f->first_mistakes) return;
  f->told = true;
  qsort(f->first_mistakes, count, sizeof *f->first_mistakes, by_line);
  struct json_value *all = f->json ? json_new_array() : NULL;
  put_mistakes(f, f->json || count < STDERR_MAX ? count : STDERR_MAX, all);
  if (all) json_write(all, stdout, false);
  json_done(&all);
}

int bulk_refuse(struct bulk_file *f) {
  print_mistakes(f);
  return cli_fail(CLI_EXIT_DATA, "%s: %zu mistake%s; nothing was changed", f->name, f->mistakes,
                  f->mistakes == 1 ? "" : "s");
}

/* --- reading --- */

static int read_text(struct bulk_file *f) {
  bool is_stdin = strcmp(f->name, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(f->name, O_RDONLY | O_CLOEXEC);
  ssize_t n = -1;
  while (fd >= 0) {
    uint8_t *at = buf_reserve(&f->text, 64 * 1024);
    n = at ? read(fd, at, 64 * 1024) : -1;
    if (n <= 0) break;
    buf_added(&f->text, (size_t)n);
  }
  int why = errno;
  if (fd >= 0 && !is_stdin) close(fd);
  if (n == 0) return CLI_EXIT_OK;
  return cli_fail(CLI_EXIT_NO_INPUT, "%s: %s", f->name,
                  f->text.failed ? "is larger than 64M" : strerror(why));
}

struct columns {
  int address, password, hash, quota, aliases; /* column indexes, -1: none */
};

static struct slice trimmed(struct slice s) {
  while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_from(s, 1);
  while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
  return s;
}

static bool one_of(const char *words, struct slice word) {
  struct slice rest = slice_str(words);
  while (rest.p)
    if (slice_caseeq(slice_split(&rest, '|'), word)) return true;
  return false;
}

static void read_header(struct bulk_file *f, const char *known, const struct slice *fields,
                        size_t n, struct columns *to) {
  *to = (struct columns){ -1, -1, -1, -1, -1 };
  const struct {
    const char *name;
    int *place;
  } columns[] = {
    { "address", &to->address }, { "password", &to->password }, { "hash", &to->hash },
    { "quota", &to->quota },     { "aliases", &to->aliases },
  };
  for (size_t i = 0; i < n; i++) {
    struct slice name = trimmed(fields[i]);
    bool taken = false;
    for (size_t k = 0; k < 5; k++) {
      if (!slice_caseeq(name, slice_str(columns[k].name)) || !one_of(known, name)) continue;
      if (*columns[k].place >= 0)
        bulk_mistake(f, 1, "the column %s is there twice", columns[k].name);
      *columns[k].place = (int)i;
      taken = true;
    }
    if (!taken)
      bulk_mistake(f, 1, "there is no column \"%.*s\"; %s are known",
                   SLICE_ARG(slice_first(name, 60)), known);
  }
  if (to->address < 0)
    bulk_mistake(f, 1, "the first line names the columns, and address is not among them");
}

static struct slice cell(const struct slice *fields, size_t n, int place) {
  return place >= 0 && (size_t)place < n ? fields[place] : SLICE_NONE;
}

/* Converts aliases separated by blanks, commas or semicolons. */
static struct slice space_separated(struct bulk_file *f, struct slice s) {
  uint8_t *p = arena_alloc(&f->mem, s.n ? s.n : 1);
  if (!p) return SLICE_NONE;
  for (size_t i = 0; i < s.n; i++)
    p[i] = s.p[i] == ',' || s.p[i] == ';' || s.p[i] == '\t' ? ' ' : s.p[i];
  return slice_of(p, s.n);
}

static void take_secret(struct bulk_file *f, struct bulk_account *a, bool wanted) {
  if (a->password.n && a->hash.n) {
    bulk_mistake(f, a->line, "has a password and a hash; one of them is meant");
  } else if (slice_eq(a->password, SLICE("generate"))) {
    struct buf made;
    buf_init(&made, SECRET_MAX);
    secret_make(&made);
    a->password = arena_copy(&f->mem, buf_slice(&made));
    a->generated = true;
    buf_wipe(&made);
  } else if (a->hash.n) {
    struct slice plain;
    enum password_import kind = password_import(a->hash, &plain);
    if (kind == IMPORT_CLEAR)
      a->password = plain, a->hash = SLICE_NONE;
    else if (kind != IMPORT_HASH || !password_is_whole(plain))
      bulk_mistake(f, a->line,
                   "that hash is not verified here, or is not whole: yescrypt, bcrypt, "
                   "SHA-512-crypt, SHA-256-crypt and MD5-crypt are");
  } else if (wanted && !a->password.n) {
    bulk_mistake(f, a->line, "has no password (nor hash, nor the word generate)");
  }
  if (a->password.n > PASSWORD_MAX || slice_find(a->password, 0) >= 0)
    bulk_mistake(f, a->line, "a password has 1 to %d octets and no NUL", PASSWORD_MAX);
}

static void take_row(struct bulk_file *f, struct csv *csv, const struct columns *at,
                     const struct slice *fields, size_t n, size_t width, bool secrets) {
  struct bulk_account *a = &f->accounts[f->count];
  *a = (struct bulk_account){ .line = csv->line };
  if (n > width) {
    bulk_mistake(f, a->line, "has %zu columns, the header %zu", n, width);
    return;
  }
  a->address = arena_copy(&f->mem, trimmed(cell(fields, n, at->address)));
  a->password = arena_copy(&f->mem, cell(fields, n, at->password));
  a->hash = arena_copy(&f->mem, trimmed(cell(fields, n, at->hash)));
  a->quota = arena_copy(&f->mem, trimmed(cell(fields, n, at->quota)));
  a->aliases = space_separated(f, cell(fields, n, at->aliases));
  if (!a->address.n) bulk_mistake(f, a->line, "has no address");
  if (secrets) take_secret(f, a, true);
  f->count++;
}

/* Finds an address that occurs twice, as an account or an alias: reports the lines of both. */
static void find_twins(struct bulk_file *f) {
  struct bulk_entry {
    struct slice text;
    unsigned line;
    bool account;
    struct bulk_entry *next;
  };
  struct map seen;
  map_init(&seen);
  /* accounts, then aliases: two accounts may share an alias */
  for (int round = 0; round < 2; round++)
    for (size_t i = 0; i < f->count; i++) {
      struct slice rest = round ? f->accounts[i].aliases : f->accounts[i].address, word;
      while (rest.p) {
        word = slice_split(&rest, ' ');
        if (!word.n) continue;
        uint64_t hash = slice_hash_lower(word);
        struct bulk_entry *first = map_ptr(&seen, hash), *x = first;
        while (x && !slice_caseeq(x->text, word)) x = x->next;
        if (x)
          bulk_mistake(f, f->accounts[i].line, "%.*s is in line %u already",
                       SLICE_ARG(slice_first(word, 330)), x->line);
        else if (!round && (x = arena_alloc(&f->mem, sizeof *x))) {
          *x = (struct bulk_entry){ word, f->accounts[i].line, true, first };
          map_put_ptr(&seen, hash, x);
        }
      }
    }
  map_free(&seen);
}

static void read_rows(struct bulk_file *f, const char *known) {
  struct slice fields[CSV_FIELDS_MAX];
  struct columns at = { 0, -1, -1, -1, -1 };
  struct csv csv;
  const char *why = NULL;
  size_t n, width = 1;
  bool header = true, secrets = one_of(known, SLICE("password"));
  csv_open(&csv, buf_slice(&f->text));
  for (int got; (got = csv_next(&csv, fields, &n, &why)) != 0;) {
    if (got < 0) bulk_mistake(f, csv.line, "%s", why);
    /* One column of addresses needs no header. */
    else if (header && (secrets || !n || slice_find(fields[0], '@') < 0))
      read_header(f, known, fields, width = n, &at);
    else if (f->count == BULK_ACCOUNTS_MAX)
      bulk_mistake(f, csv.line, "more than %d accounts at once: cut the file", BULK_ACCOUNTS_MAX);
    else
      take_row(f, &csv, &at, fields, n, width, secrets);
    header = false;
    if (f->count == BULK_ACCOUNTS_MAX && f->mistakes) break;
  }
  csv_close(&csv);
  if (header) bulk_mistake(f, 1, "the file is empty");
  find_twins(f);
}

int bulk_read(struct bulk_file *f, const struct cli *c, const char *name, const char *known) {
  *f = (struct bulk_file){ .name = name, .json = c->json };
  map_init(&f->wrong_lines);
  buf_init(&f->text, FILE_MAX);
  arena_init(&f->mem, MEMORY_MAX);
  f->accounts = calloc(BULK_ACCOUNTS_MAX, sizeof *f->accounts);
  if (!f->accounts) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  int code = read_text(f);
  if (code == CLI_EXIT_OK) read_rows(f, known);
  return code == CLI_EXIT_OK && f->mem.failed ? cli_fail(CLI_EXIT_SYSTEM, "no memory") : code;
}

void bulk_close(struct bulk_file *f) {
  for (size_t i = 0; f->accounts && i < f->count; i++)
    explicit_bzero((void *)(uintptr_t)f->accounts[i].password.p, f->accounts[i].password.n);
  if (f->mistakes) print_mistakes(f);
  free(f->accounts);
  free(f->first_mistakes);
  map_free(&f->wrong_lines);
  buf_wipe(&f->text);
  arena_reset(&f->mem);
}

/* --- hashing --- */

struct hashing {
  struct bulk_file *file;
  atomic_size_t next;
  atomic_bool failed;
  char (*hashes)[PASSWORD_HASH_MAX];
};

static void *hash_some(void *arg) {
  struct hashing *h = arg;
  for (size_t i; !h->failed && (i = h->next++) < h->file->count;) {
    const struct bulk_account *a = &h->file->accounts[i];
    uint8_t random[PASSWORD_RANDOM];
    struct buf out;
    if (a->hash.n) continue;
    sys_random(random, sizeof random);
    buf_init(&out, PASSWORD_HASH_MAX);
    if (password_hash(a->password, random, &out) == PASSWORD_OK)
      memcpy(h->hashes[i], buf_slice(&out).p, buf_len(&out));
    else
      h->failed = true;
    buf_free(&out);
  }
  return NULL;
}

bool bulk_hash(struct bulk_file *f) {
  struct hashing h = { .file = f, .hashes = calloc(f->count + 1, sizeof *h.hashes) };
  pthread_t threads[THREADS_MAX];
  long n = sysconf(_SC_NPROCESSORS_ONLN), made = 0;
  if (!h.hashes) return false;
  while (made < n - 1 && made < THREADS_MAX &&
         pthread_create(&threads[made], NULL, hash_some, &h) == 0)
    made++;
  hash_some(&h);
  while (made > 0) pthread_join(threads[--made], NULL);
  for (size_t i = 0; !h.failed && i < f->count; i++)
    if (!f->accounts[i].hash.n) f->accounts[i].hash = arena_copy(&f->mem, slice_str(h.hashes[i]));
  free(h.hashes);
  return !h.failed && !f->mem.failed;
}

/* --- asking --- */

static int put_part(struct cli_link *l, struct buf *part) {
  struct slice words[] = { SLICE("bulk"), SLICE("put"), buf_slice(part) };
  struct table t;
  table_init(&t);
  int code = link_ask(l, words, 3)
                 ? ask_answer(l, &t, NULL)
                 : cli_fail(CLI_EXIT_TEMPORARY, "the server did not accept the command");
  table_free(&t);
  buf_reset(part);
  return code;
}

static int put_all(struct cli_link *l, struct bulk_file *f,
                   void (*row)(const struct bulk_account *, struct buf *)) {
  struct buf part, one;
  int code = CLI_EXIT_OK;
  buf_init(&part, PART_MAX), buf_init(&one, PART_MAX);
  for (size_t i = 0; code == CLI_EXIT_OK && i < f->count; i++) {
    buf_reset(&one);
    row(&f->accounts[i], &one);
    if (one.failed)
      bulk_mistake(f, f->accounts[i].line, "is too long");
    else if (buf_room(&part) < buf_len(&one))
      code = put_part(l, &part);
    if (!one.failed) buf_put(&part, buf_slice(&one));
  }
  if (code == CLI_EXIT_OK && buf_len(&part)) code = put_part(l, &part);
  buf_wipe(&part), buf_wipe(&one);
  return code;
}

/* A process's closing sentence is not printed if its rows report the mistakes. */
static int answer(struct cli_link *l, struct table *t, struct bulk_file *f) {
  struct link_reply reported;
  for (;;) {
    switch (link_next(l, &reported)) {
    case LINK_COLUMNS: table_columns(t, reported.data); break;
    case LINK_ROW: table_add(t, reported.data); break;
    case LINK_OUTPUT: break;
    case LINK_LOST: return link_finish(&reported);
    case LINK_DONE: break;
    }
    if (reported.event != LINK_DONE) continue;
    if (reported.code != CLI_USAGE || !t->row_count) return link_finish(&reported);
    for (const struct table_row *r = t->first; r; r = r->next) {
      uint64_t line = 1;
      num_parse(table_cell(t, r, "line"), UINT32_MAX, &line);
      if (!map_get(&f->wrong_lines, line, NULL)) /* otherwise it was already printed */
        bulk_mistake(f, (unsigned)line, "%.*s",
                     SLICE_ARG(slice_first(table_cell(t, r, "what"), 500)));
    }
    return CLI_EXIT_OK;
  }
}

int bulk_ask(struct cli *c, struct bulk_file *f, enum role kind, const char *verb,
             void (*row)(const struct bulk_account *a, struct buf *out), struct table *t) {
  int code;
  struct table own;
  struct slice words[] = { SLICE("bulk"), slice_str(verb) };
  struct cli_link *l = link_open(c, kind, 0, &code);
  if (!l)
    return code == CLI_EXIT_NOT_FOUND
               ? cli_fail(CLI_EXIT_UNAVAILABLE, "%s does not run now", role_name(kind))
               : code;
  table_init(&own);
  code = put_all(l, f, row);
  if (code == CLI_EXIT_OK)
    code = link_ask(l, words, 2)
               ? answer(l, t ? t : &own, f)
               : cli_fail(CLI_EXIT_TEMPORARY, "the server did not accept the command");
  table_free(&own);
  link_free(&l);
  return code;
}
