/* SPDX-License-Identifier: ISC */
/* `qasid salvage`: writes every message of a damaged store that can still be read into Maildirs.
 *
 *   PLACE/ADDRESS, with PLACE/ADDRESS.uidls   messages whose account and folder are known
 *   PLACE/folder-N …                          messages whose account's row is lost
 *   PLACE/unknown                             messages without a row that gives their owner
 * The source is never changed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "lib/base/crc32c.h"
#include "lib/base/num.h"
#include "src/cli/mailbox/mailbox.h"
#include "src/cli/mailbox/place.h"
#include "src/cli/salvage/commands.h"
#include "src/cli/salvage/salvage.h"
#include "src/cli/base/table.h"
#include "src/store/format.h"
#include "src/store/jobs/uidl.h"

enum { PATH_ROOM = 4200, NAME_ROOM = 400, PIECE = 64 * 1024, NAMED_MAX = 1000 };

struct box {
  char name[NAME_ROOM];
  struct mailbox_out *out;
  FILE *uidls;
  uint64_t messages, octets, damaged, unreadable;
};

struct salvage_work {
  struct salvage salvage;
  char database[PATH_ROOM], folder[PATH_ROOM]; /* the store's */
  const char *place;
  bool no_database;
  struct map rowless; /* bodies whose file was found but whose row was not */
  struct box box;
  struct table report;
  uint64_t damaged, unreadable, named;
  /* the message under way */
  uint8_t last[2];
  uint64_t got;
  uint32_t sum;
  bool leading; /* leading NULs are not part of it */
};

static int trouble(const char *what) {
  return cli_fail(CLI_EXIT_IO, "%s: %s", what, strerror(errno));
}

/* --- where things are --- */

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

/* A data folder contains store/, which has the database and bodies/. */
static int find(struct salvage_work *w, const char *from) {
  struct stat st;
  if (stat(from, &st) != 0) return cli_fail(CLI_EXIT_NO_INPUT, "%s: %s", from, strerror(errno));
  char *folder = w->folder;
  const size_t room = sizeof w->folder - 100;
  snprintf(folder, room, "%s", from);
  if (S_ISDIR(st.st_mode)) {
    snprintf(w->database, sizeof w->database, "%s/" STORE_FOLDER, from);
    if (is_there(w->database)) snprintf(folder, room, "%s/" STORE_FOLDER, from);
    snprintf(w->database, sizeof w->database, "%.4000s/" STORE_DATABASE, folder);
  } else {
    char *slash = strrchr(folder, '/');
    snprintf(w->database, sizeof w->database, "%s", from);
    if (slash)
      slash[1] = 0;
    else
      snprintf(folder, room, ".");
  }
  char bodies[PATH_ROOM];
  snprintf(bodies, sizeof bodies, "%.4000s/" STORE_BODIES, folder);
  w->no_database = !is_there(w->database);
  if (w->no_database && !is_there(bodies))
    return cli_fail(CLI_EXIT_NO_INPUT,
                    "%s has neither " STORE_DATABASE " nor " STORE_BODIES
                    "; a data folder, its store, or the "
                    "database itself is meant",
                    from);
  return CLI_EXIT_OK;
}

/* The server holds a lock for as long as it runs. */
static int is_free(const struct salvage_work *w) {
  int fd = open(w->database, O_RDONLY | O_CLOEXEC);
  struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  if (fd < 0) return w->no_database ? CLI_EXIT_OK : trouble(w->database);
  bool held = fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
  close(fd);
  return held ? cli_fail(CLI_EXIT_TEMPORARY, "%s: a server has it open; `qasid stop` first",
                         w->database)
              : CLI_EXIT_OK;
}

/* An empty folder, created if missing. */
static int make_place(const char *path) {
  if (mkdir(path, 0700) == 0) return CLI_EXIT_OK;
  if (errno != EEXIST) return trouble(path);
  DIR *d = opendir(path);
  if (!d) return trouble(path);
  bool empty = true;
  for (struct dirent *e; (e = readdir(d));)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) empty = false;
  closedir(d);
  return empty ? CLI_EXIT_OK : cli_fail(CLI_EXIT_EXISTS, "%s is not empty", path);
}

/* --- a Maildir --- */

static bool open_box(struct salvage_work *w, const char *name) {
  char path[PATH_ROOM];
  struct buf err;
  w->box = (struct box){ .messages = 0 };
  snprintf(w->box.name, sizeof w->box.name, "%s", name);
  for (char *p = w->box.name; *p; p++)
    if (*p == '/' || (uint8_t)*p < 0x20 || (p == w->box.name && *p == '.')) *p = '_';
  buf_init(&err, 4096);
  snprintf(path, sizeof path, "%s/%s", w->place, w->box.name);
  w->box.out = mailbox_out_open(true, path, false, &err);
  if (!w->box.out) cli_fail(0, "%.*s", SLICE_ARG(buf_slice(&err)));
  snprintf(path, sizeof path, "%s/%s.uidls", w->place, w->box.name);
  int fd = w->box.out ? place_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
  if (fd >= 0) w->box.uidls = fdopen(fd, "w");
  if (w->box.out && !w->box.uidls) trouble(path);
  buf_free(&err);
  return w->box.out && w->box.uidls;
}

static bool close_box(struct salvage_work *w) {
  struct box *b = &w->box;
  bool ok = !b->out || mailbox_out_sync(b->out);
  if (!ok) cli_fail(0, "%s", mailbox_out_error(b->out));
  if (b->uidls && fclose(b->uidls) != 0) ok = false;
  mailbox_out_free(&b->out);
  b->uidls = NULL;
  if (!b->name[0]) return ok;
  ok = TABLE_ROW(&w->report, slice_str(b->name), TABLE_NUMBER(b->messages), TABLE_NUMBER(b->octets),
                 TABLE_NUMBER(b->damaged), TABLE_NUMBER(b->unreadable)) &&
       ok;
  b->name[0] = 0;
  return ok;
}

static void name(struct salvage_work *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void name(struct salvage_work *w, const char *fmt, ...) {
  char text[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (w->named++ < NAMED_MAX) cli_fail(0, "%s: %s", w->box.name, text);
}

static void lost(struct salvage_work *w) {
  w->box.unreadable++;
  w->unreadable++;
}

/* --- a message --- */

static bool put(void *arg, struct slice piece) {
  struct salvage_work *w = arg;
  while (w->leading && slice_at(piece, 0) == 0) piece = slice_from(piece, 1);
  if (!piece.n) return true;
  w->leading = false;
  w->last[0] = piece.n > 1 ? piece.p[piece.n - 2] : w->last[1];
  w->last[1] = piece.p[piece.n - 1];
  w->got += piece.n;
  w->sum = crc32c(w->sum, piece);
  return mailbox_out_put(w->box.out, piece);
}

static bool put_file(struct salvage_work *w, const char *path, uint64_t start, uint64_t size) {
  uint8_t room[PIECE];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0;
  while (ok && size) {
    ssize_t n = pread(fd, room, size < PIECE ? (size_t)size : PIECE, (off_t)start);
    if (n < 0 && errno == EINTR) continue;
    ok = n > 0 && put(w, slice_of(room, (size_t)n));
    if (n > 0) start += (uint64_t)n, size -= (uint64_t)n;
  }
  if (fd >= 0) close(fd);
  return ok;
}

static void body_path(const struct salvage_work *w, uint64_t id, char path[PATH_ROOM]) {
  snprintf(path, PATH_ROOM, "%.4000s/" STORE_BODY_FILE, w->folder, STORE_BODY_AT(id));
}

/* A message with some damaged octets is better than none, as long as its owner is informed. */
static void compare_sum(struct salvage_work *w, const struct salvage_body *b) {
  uint32_t stored;
  if (!salvage_sum(&w->salvage, b, &stored) || stored == w->sum) return;
  w->box.damaged++;
  w->damaged++;
  name(w, "%s has other octets than were stored as message %llu: damaged",
       mailbox_out_name(w->box.out), (unsigned long long)b->id);
}

/* 1: written; 0: unreadable; -1: the destination cannot be written any more. */
static int write_message(struct salvage_work *w, const struct salvage_body *b,
                         const struct mail_meta *meta) {
  char path[PATH_ROOM];
  w->got = 0, w->sum = 0, w->leading = false, w->last[0] = w->last[1] = 0;
  if (!mailbox_out_begin(w->box.out, meta)) return -1;
  body_path(w, b->id, path);
  bool whole = salvage_head(&w->salvage, b, put, w) &&
               (b->in_file ? put_file(w, path, b->start, b->size - b->head)
                           : salvage_octets(&w->salvage, b, put, w));
  /* Every body ends in this way: one that does not was changed (schema.h, 4). */
  whole = whole && w->got == b->size && w->last[0] == '\r' && w->last[1] == '\n';
  if (mailbox_out_error(w->box.out)[0]) return -1;
  if (!whole) return mailbox_out_cut(w->box.out), 0;
  if (!mailbox_out_end(w->box.out)) return -1;
  compare_sum(w, b);
  w->box.messages++;
  w->box.octets += w->got;
  return 1;
}

/* The row is lost, but there is a file with that number, and a message ends where its file does.
 * The head was in the row: the message is written without it, and counts as damaged. */
static bool body_without_row(struct salvage_work *w, const struct salvage_entry *e,
                             struct salvage_body *ret) {
  char path[PATH_ROOM];
  struct stat st;
  body_path(w, e->body, path);
  if (stat(path, &st) != 0 || (uint64_t)st.st_size + MESSAGE_HEAD_MAX < e->size) return false;
  uint64_t there = (uint64_t)st.st_size < e->size ? (uint64_t)st.st_size : e->size;
  *ret = (struct salvage_body){ .id = e->body, .size = there, .in_file = true };
  ret->start = (uint64_t)st.st_size - there;
  return map_put(&w->rowless, e->body, 1);
}

/* The file has fewer octets than the message had: the head is lost with the row. */
static void found_headless(struct salvage_work *w, const struct salvage_entry *e,
                           const struct salvage_body *b) {
  if (b->size >= e->size) return;
  w->box.damaged++;
  w->damaged++;
  name(w,
       "%s has %llu octets fewer than message %llu had: its row, with what this server had put in "
       "front, is lost",
       mailbox_out_name(w->box.out), (unsigned long long)(e->size - b->size),
       (unsigned long long)b->id);
}

static bool write_entry(struct salvage_work *w, const struct salvage_folder *f,
                        const struct salvage_entry *e) {
  struct mail_meta meta = { .date = e->date, .flags = e->flags };
  const struct salvage_body *b = salvage_body(&w->salvage, e->body);
  struct salvage_body by_file;
  if (!b && body_without_row(w, e, &by_file)) b = &by_file;
  struct buf uidl;
  buf_init(&uidl, 1024);
  if (f || e->uidl.n) uidl_set(&uidl, e->uidl, f ? f->uidvalidity : 0, e->uid);
  int done = b ? write_message(w, b, &meta) : 0;
  if (done == 1) found_headless(w, e, b);
  if (done == 0) lost(w);
  if (done == 0)
    name(w, "message %u (UIDL %.*s, %llu octets) can't be read%s", e->uid,
         SLICE_ARG(buf_slice(&uidl)), (unsigned long long)e->size,
         b ? "" : ": the row of its octets is lost");
  if (done == 1 && buf_len(&uidl))
    fprintf(w->box.uidls, "%.*s\t%s\n", SLICE_ARG(buf_slice(&uidl)), mailbox_out_name(w->box.out));
  if (done < 0) cli_fail(0, "%s", mailbox_out_error(w->box.out));
  buf_free(&uidl);
  return done >= 0;
}

/* --- all messages --- */

static void name_of(const struct salvage *s, uint64_t folder, const struct salvage_folder *f,
                    char name[NAME_ROOM]) {
  const struct salvage_account *a = f ? salvage_account(s, f->account) : NULL;
  bool inbox = !f || !f->name || strcmp(f->name, "INBOX") == 0;
  if (!a || !a->name)
    snprintf(name, NAME_ROOM, "folder-%llu", (unsigned long long)folder);
  else
    snprintf(name, NAME_ROOM, "%s%s%.60s", a->name, inbox ? "" : ".", inbox ? "" : f->name);
}

static bool write_entries(struct salvage_work *w) {
  const struct salvage *s = &w->salvage;
  char name[NAME_ROOM];
  bool ok = true;
  for (size_t i = 0; ok && i < s->entry_count;) {
    uint64_t folder = s->entries[i].folder;
    const struct salvage_folder *f = salvage_folder(s, folder);
    name_of(s, folder, f, name);
    ok = open_box(w, name);
    for (; ok && i < s->entry_count && s->entries[i].folder == folder; i++)
      ok = write_entry(w, f, &s->entries[i]);
    ok = close_box(w) && ok;
  }
  return ok;
}

/* Opened when the first message comes. */
static bool open_unknown(struct salvage_work *w) {
  return w->box.name[0] || open_box(w, "unknown");
}

static bool write_unknown_bodies(struct salvage_work *w) {
  bool ok = true;
  for (size_t i = 0; ok && i < w->salvage.body_count; i++) {
    const struct salvage_body *b = &w->salvage.bodies[i];
    struct mail_meta meta = { 0 };
    if (b->wanted) continue;
    ok = open_unknown(w);
    int done = ok ? write_message(w, b, &meta) : 1;
    if (done == 0) lost(w), name(w, "message %llu can't be read", (unsigned long long)b->id);
    ok = ok && done >= 0;
  }
  return ok;
}

/* A file without a row: it is unknown where the message begins in it, but NULs precede it. */
static bool write_file(struct salvage_work *w, const char *path) {
  struct mail_meta meta = { 0 };
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return true;
  if (!open_unknown(w) || !mailbox_out_begin(w->box.out, &meta)) return false;
  meta.date = st.st_mtime;
  w->got = 0, w->leading = true;
  if (!put_file(w, path, 0, (uint64_t)st.st_size) || !w->got) {
    mailbox_out_cut(w->box.out);
    lost(w), name(w, "%s can't be read", path);
    return !mailbox_out_error(w->box.out)[0];
  }
  w->box.messages++;
  w->box.octets += w->got;
  return mailbox_out_end(w->box.out);
}

static bool write_unknown_files(struct salvage_work *w) {
  char folder[PATH_ROOM], path[PATH_ROOM];
  bool ok = true;
  for (unsigned i = 0; ok && i < STORE_BODY_FOLDERS; i++) {
    snprintf(folder, sizeof folder, "%.4000s/" STORE_BODY_FOLDER, w->folder, i);
    DIR *d = opendir(folder);
    if (!d) continue;
    for (struct dirent *e; ok && (e = readdir(d));) {
      uint64_t id;
      if (!num_parse(slice_str(e->d_name), INT64_MAX, &id) || salvage_body(&w->salvage, id) ||
          map_get(&w->rowless, id, NULL))
        continue;
      body_path(w, id, path);
      ok = write_file(w, path);
    }
    closedir(d);
  }
  return ok;
}

/* --- the report --- */

/* The number of pages that are damaged. */
static uint32_t print_pages(const struct pages *p) {
  struct pages_damage d;
  pages_damage(p, &d);
  if (d.pages)
    cli_fail(0, "of %u pages %u are damaged or belong to a message that is, the first is %u",
             p->count, d.pages, d.first);
  if (d.log) cli_fail(0, "%u pages of the write-ahead log are damaged", d.log);
  if (d.free_list)
    cli_fail(0, "the list of free pages is damaged: messages that were deleted may be among those "
                "that were found");
  return d.pages + d.log + d.free_list;
}

static int report(const struct cli *c, const struct salvage_work *w, bool ok) {
  table_print(&w->report, c->json);
  uint32_t damaged = print_pages(&w->salvage.pages);
  if (w->named > NAMED_MAX)
    cli_fail(0, "and %llu more that can't be read", (unsigned long long)(w->named - NAMED_MAX));
  if (w->salvage.kept_count)
    fprintf(stderr, "%zu deleted messages that were kept for undelete are left out\n",
            w->salvage.kept_count);
  if (!ok) return cli_fail(CLI_EXIT_IO, "not all that can be read could be written");
  if (w->unreadable)
    return cli_fail(CLI_EXIT_DATA, "%llu messages can't be read, %llu are damaged",
                    (unsigned long long)w->unreadable, (unsigned long long)w->damaged);
  if (w->damaged)
    return cli_fail(CLI_EXIT_DATA, "%llu messages are damaged", (unsigned long long)w->damaged);
  if (damaged || w->no_database)
    return cli_fail(CLI_EXIT_DATA, "no message is known to be lost, but the database is damaged");
  return CLI_EXIT_OK;
}

static int salvage(struct cli *c, struct salvage_work *w) {
  bool opened = w->no_database ? pages_take(&w->salvage.pages, SLICE_NONE, SLICE_NONE)
                               : pages_open(&w->salvage.pages, w->database);
  if (!opened) return trouble(w->database);
  if (!salvage_read(&w->salvage)) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  table_init(&w->report);
  bool ok = table_set_columns(&w->report, "mailbox messages octets damaged unreadable") &&
            write_entries(w);
  ok = ok && write_unknown_bodies(w) && write_unknown_files(w);
  ok = close_box(w) && ok;
  int code = report(c, w, ok);
  table_free(&w->report);
  return code;
}

int cmd_salvage(struct cli *c) {
  struct salvage_work w = { .place = c->args[1] };
  map_init(&w.rowless);
  int code = find(&w, c->args[0]);
  if (code == CLI_EXIT_OK) code = is_free(&w);
  if (code == CLI_EXIT_OK) code = make_place(w.place);
  if (code == CLI_EXIT_OK) code = salvage(c, &w);
  salvage_free(&w.salvage);
  map_free(&w.rowless);
  pages_close(&w.salvage.pages);
  return code;
}
