/* SPDX-License-Identifier: ISC */
/* check: tests every invariant of schema.h, and every octet of every message against its checksum,
 * in one snapshot while mail is delivered. */
#include <stdio.h>

#include "src/store/sql/admin_whole.h"
#include "src/store/sql/body_refs.h"
#include "src/store/sql/body_row.h"
#include "src/store/sql/schema.h"

enum { FINDINGS_MAX = 1000, BODIES_A_SLICE = 1000, OCTETS_A_SLICE = 16 * 1024 * 1024 };

#define WITHOUT_BODY(table, columns, numbers, sentence)     \
  { "SELECT " columns " FROM " #table " x WHERE NOT EXISTS" \
    " (SELECT 1 FROM body WHERE id = x.body)",              \
    sentence, numbers },

/* A query has a row for each finding; its columns are the %-numbers of the sentence, in order. */
static const struct {
  const char *sql, *sentence;
  int numbers;
} queries[] = {
  BODY_REFS(WITHOUT_BODY, ) /* its rows end with a comma */
  { "SELECT b.id, b.refs, coalesce(c.n, 0) FROM body b LEFT JOIN"
    " (SELECT body, count(*) AS n FROM (" BODY_REFERENCES ") part GROUP BY body) c"
    " ON c.body = b.id WHERE b.refs <> coalesce(c.n, 0)",
    "body %lld counts %lld messages that refer to it, there are %lld", 3 },
  { "SELECT l.body FROM letter l WHERE NOT EXISTS (SELECT 1 FROM recipient WHERE body = l.body)",
    "the message in the queue of body %lld has no recipient", 1 },
  { "SELECT r.id, r.body FROM recipient r WHERE NOT EXISTS (SELECT 1 FROM letter WHERE body = "
    "r.body)",
    "recipient %lld in the queue is of body %lld, which no message in the queue has", 2 },
  { "SELECT l.body FROM letter l WHERE coalesce(l.domain, '') <> CASE WHEN l.return_path LIKE '%@%'"
    " THEN " SCHEMA_DOMAIN_OF("l.return_path") " ELSE '' END",
    "the message in the queue of body %lld has another sender's domain than its reverse-path", 1 },
  { "SELECT l.body FROM letter l WHERE (l.waiting, l.held, l.limited, l.failing) <>"
    " (SELECT count(*) FILTER (WHERE state = 0),"
    " count(*) FILTER (WHERE state = 1 AND expires <> -1 AND held_by = 0),"
    " count(*) FILTER (WHERE state = 1 AND expires <> -1 AND held_by <> 0),"
    " count(*) FILTER (WHERE state = 1 AND expires = -1) FROM recipient r WHERE r.body = l.body)",
    "the message in the queue of body %lld counts other recipients than it has", 1 },
  { "WITH has AS (SELECT 0 AS kind, 0 AS account, waiting AS n FROM letter WHERE waiting > 0"
    " UNION ALL SELECT 1, account, held FROM letter WHERE held > 0"
    " UNION ALL SELECT 2, account, limited FROM letter WHERE limited > 0"
    " UNION ALL SELECT 3, account, failing FROM letter WHERE failing > 0)"
    " SELECT kind, account, sum(r), sum(m) FROM (SELECT kind, account, recipients AS r,"
    " messages AS m FROM queue_count UNION ALL SELECT kind, account, -sum(n), -count(*) FROM has"
    " GROUP BY kind, account) part GROUP BY kind, account HAVING sum(r) <> 0 OR sum(m) <> 0",
    "the queue's count %lld of account %lld has %lld recipients and %lld messages too many", 4 },
  { "SELECT e.folder, e.uid, e.size, b.size FROM entry e JOIN body b ON b.id = e.body WHERE e.size "
    "<> b.size",
    "folder %lld: message %lld has size %lld, its body %lld", 4 },
  { "SELECT id, size, coalesce(length(head), 0) + coalesce(length(data), 0) FROM body"
    " WHERE start IS NULL"
    " AND (data IS NULL OR coalesce(length(head), 0) + length(data) <> size)",
    "body %lld should have %lld octets, it has %lld", 3 },
  { "SELECT body.id, next_body FROM body, store WHERE body.id >= next_body",
    "body %lld: the next number is %lld", 2 },
  { "SELECT f.id, f.messages, count(e.uid) FROM folder f LEFT JOIN entry e ON e.folder = f.id "
    "GROUP BY f.id"
    " HAVING f.messages <> count(e.uid)",
    "folder %lld counts %lld messages, there are %lld", 3 },
  { "SELECT f.id, f.octets, coalesce(sum(e.size), 0) FROM folder f LEFT JOIN entry e ON e.folder = "
    "f.id "
    "GROUP BY f.id"
    " HAVING f.octets <> coalesce(sum(e.size), 0)",
    "folder %lld counts %lld octets, there are %lld", 3 },
  { "SELECT d.folder, d.uid, d.size, b.size FROM deleted d JOIN body b ON b.id = d.body WHERE "
    "d.size <> b.size",
    "folder %lld: deleted message %lld has size %lld, its body %lld", 4 },
  { "SELECT f.id, f.deleted, f.deleted_octets, count(d.uid), coalesce(sum(d.size), 0) FROM folder f"
    " LEFT JOIN deleted d ON d.folder = f.id GROUP BY f.id"
    " HAVING f.deleted <> count(d.uid) OR f.deleted_octets <> coalesce(sum(d.size), 0)",
    "folder %lld counts %lld deleted messages of %lld octets, there are %lld of %lld", 5 },
  { "SELECT d.folder, d.uid FROM deleted d LEFT JOIN folder f ON f.id = d.folder WHERE d.uid >= "
    "f.uidnext"
    " OR d.uid < 1 OR f.id IS NULL OR EXISTS (SELECT 1 FROM entry WHERE folder = d.folder AND uid "
    "= d.uid)",
    "folder %lld: deleted message %lld can't be one of it", 2 },
  { "SELECT d.folder, d.uid FROM deleted d WHERE d.uidl IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM gone WHERE folder = d.folder AND uidl = d.uidl)",
    "folder %lld: the UIDL of deleted message %lld could be given again", 2 },
  { "SELECT e.folder, e.uid FROM entry e WHERE e.uidl IS NOT NULL AND e.shown IS NOT NULL",
    "folder %lld: message %lld has two UIDLs", 2 },
  { "SELECT e.folder, e.uid FROM entry e JOIN deleted d ON d.folder = e.folder"
    " AND d.shown = e.shown",
    "folder %lld: message %lld has the UIDL of a deleted message", 2 },
  { "SELECT e.folder, e.uid, f.uidnext FROM entry e JOIN folder f ON f.id = e.folder WHERE e.uid "
    ">= "
    "f.uidnext OR e.uid < 1",
    "folder %lld: message %lld is not below the next uid %lld", 3 },
  { "SELECT e.folder, e.uid FROM entry e WHERE NOT EXISTS (SELECT 1 FROM folder WHERE id = "
    "e.folder)",
    "folder %lld is not there, but its message %lld is", 2 },
  { "SELECT f.id, s.uidvalidity FROM folder f, store s WHERE f.uidvalidity > s.uidvalidity",
    "folder %lld has a uidvalidity above %lld, the last that was given", 2 },
  { "SELECT e.folder, e.uid FROM entry e JOIN gone g ON g.folder = e.folder AND g.uidl = e.uidl",
    "folder %lld: message %lld has a UIDL that was used before", 2 },
  { "SELECT f.id, f.account FROM folder f WHERE NOT EXISTS (SELECT 1 FROM account WHERE id = "
    "f.account)",
    "folder %lld is of account %lld, which is not there", 2 },
  { "SELECT c.id, c.account FROM collected c WHERE NOT EXISTS (SELECT 1 FROM account WHERE id = "
    "c.account)",
    "collected UIDL %lld is of account %lld, which is not there", 2 },
  { "SELECT a.id FROM account a WHERE a.id NOT IN (SELECT account FROM address WHERE account IS "
    "NOT "
    "NULL)"
    " AND EXISTS (SELECT 1 FROM folder WHERE account = a.id AND name = 'INBOX')",
    "account %lld has no address: its deletion was not finished", 1 },
  { "SELECT x.domain, x.account FROM address x WHERE x.account IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM folder WHERE account = x.account AND name = 'INBOX')",
    "an address of domain %lld is account %lld, which is not there", 2 },
  { "SELECT x.account FROM address x JOIN domain d ON d.id = x.domain JOIN account a ON a.id = "
    "x.account WHERE a.name <> x.local || '@' || d.name",
    "account %lld has an address that is not its name", 1 },
  { "SELECT x.domain FROM address x WHERE NOT EXISTS (SELECT 1 FROM domain WHERE id = x.domain)",
    "an address is in domain %lld, which is not there", 1 },
  { "SELECT x.domain FROM address x WHERE x.account IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM target t WHERE t.domain = x.domain AND t.local = x.local)",
    "an alias of domain %lld leads nowhere", 1 },
  { "SELECT t.domain FROM target t WHERE EXISTS (SELECT 1 FROM domain d"
    " WHERE d.name = substr(t.target, instr(t.target, '@') + 1)"
    " AND NOT EXISTS (SELECT 1 FROM address x WHERE x.domain = d.id"
    " AND x.local IN ('', substr(t.target, 1, instr(t.target, '@') - 1))))"
    " OR NOT EXISTS (SELECT 1 FROM address x WHERE x.domain = t.domain AND x.local = t.local)",
    "an address of domain %lld leads to one that is not there", 1 },
};
enum { QUERIES = sizeof queries / sizeof *queries };

struct check {
  struct whole whole;
  /* 0: pages; then the queries; then the octets of bodies; then STORE_BODY_FOLDERS listings */
  unsigned stage;
  uint64_t body;      /* the last one whose octets were checked */
  uint64_t next_body; /* files from this number on are newer than the snapshot */
  unsigned findings, notes;
};

static void find(struct check *c, struct admin_job *a, const char *kind, struct slice text) {
  if (slice_eq(slice_str(kind), SLICE("note")))
    c->notes++;
  else
    c->findings++;
  if (c->findings + c->notes <= FINDINGS_MAX) ADMIN_ROW(a, slice_str(kind), text);
}

static void find_text(struct check *c, struct admin_job *a, const char *kind, struct buf *text) {
  find(c, a, kind, buf_slice(text));
  buf_free(text);
}

/* --- pages --- */

struct page_arg {
  struct check *check;
  struct admin_job *job;
};

static void page_finding(void *arg, const char *finding) {
  struct page_arg *p = arg;
  find(p->check, p->job, "page", slice_str(finding));
}

static enum db_result check_pages(struct check *c, struct admin_job *a) {
  struct page_arg arg = { c, a };
  enum db_result r = db_integrity(c->whole.db, page_finding, &arg);
  if (r == DB_CORRUPT && !c->findings) find(c, a, "page", slice_str(db_error(c->whole.db)));
  return r == DB_CORRUPT ? DB_OK : r;
}

/* --- rows --- */

static void put_sentence(struct buf *b, const char *sentence, struct db_stmt *s) {
  int column = 0;
  buf_init(b, 512);
  struct slice rest = slice_str(sentence);
  for (ptrdiff_t at; (at = slice_search(rest, SLICE("%lld"))) >= 0;
       rest = slice_from(rest, (size_t)at + 4)) {
    buf_put(b, slice_first(rest, (size_t)at));
    buf_printf(b, "%lld", (long long)db_int(s, column++));
  }
  buf_put(b, rest);
}

/* A damaged page ends this query only. */
static enum db_result check_rows(struct check *c, struct admin_job *a, unsigned query) {
  struct db_stmt *s = db_prepare(c->whole.db, queries[query].sql);
  struct buf text;
  enum db_result r = DB_ROW;
  while (r == DB_ROW && c->findings <= FINDINGS_MAX && (r = db_step(s)) == DB_ROW) {
    put_sentence(&text, queries[query].sentence, s);
    find_text(c, a, "row", &text);
  }
  db_reset(s);
  if (r == DB_CORRUPT) find(c, a, "page", SLICE("rows can't be read because of a damaged page"));
  return r == DB_ROW || r == DB_CORRUPT ? DB_OK : r;
}

/* --- octets --- */

/* A file with more octets than its message is damaged, though the message is not. */
static void check_file(struct check *c, struct buf *text, const struct body_row *b, int64_t sum) {
  char name[BODY_NAME_MAX];
  struct disk_file *f = NULL;
  struct disk *d = c->whole.disk;
  uint64_t size = b->start + b->size - b->head.n;
  uint32_t has_sum = 0;
  body_name(name, b->id);
  int failed = d->ops->open(d, name, DISK_READ, &f);
  int64_t has = failed ? failed : d->ops->size(f);
  if (f) d->ops->close(&f);
  failed = has < 0 ? (int)has : (uint64_t)has < size ? 0 : body_row_sum(d, b, &has_sum);
  if (failed && !body_is_damage(failed))
    buf_printf(text, "the file %s of a message can't be read now: %s", name, strerror(-failed));
  else if (has < 0)
    buf_printf(text, "the file %s of a message can't be opened", name);
  else if ((uint64_t)has != size)
    buf_printf(text, "the file %s should have %llu octets, it has %lld", name,
               (unsigned long long)size, (long long)has);
  else if (sum >= 0 && sum != has_sum)
    buf_printf(text, "the file %s of a message has other octets than were stored", name);
}

/* sum: below 0 if unknown. */
static void check_body(struct check *c, struct admin_job *a, const struct body_row *b,
                       int64_t sum) {
  struct buf text;
  uint32_t has_sum;
  buf_init(&text, 256);
  if (b->in_file)
    check_file(c, &text, b, sum);
  else if (sum >= 0 && (body_row_sum(c->whole.disk, b, &has_sum) != 0 || sum != has_sum))
    buf_printf(&text, "body %llu has other octets than were stored", (unsigned long long)b->id);
  if (buf_len(&text)) find_text(c, a, b->in_file ? "file" : "row", &text);
  buf_free(&text);
}

static bool ends_in_crlf(struct slice s) {
  return s.n >= 2 && s.p[s.n - 2] == '\r' && s.p[s.n - 1] == '\n';
}

static void check_end(struct check *c, struct admin_job *a, const struct body_row *b) {
  struct buf text;
  buf_init(&text, 256);
  if (b->head.n && !ends_in_crlf(b->head))
    buf_printf(&text, "the head of body %llu does not end in CRLF", (unsigned long long)b->id);
  if (buf_len(&text)) find_text(c, a, "row", &text);
  if (!b->in_file && !ends_in_crlf(b->data))
    buf_printf(&text, "body %llu does not end in CRLF", (unsigned long long)b->id);
  if (buf_len(&text)) find_text(c, a, "row", &text);
  buf_free(&text);
}

static enum db_result check_some_bodies(struct check *c, struct admin_job *a, bool *ret_all) {
  struct db_stmt *s = db_prepare(c->whole.db, "SELECT b.sum, " BODY_ROW
                                              " FROM body b WHERE b.id > ? ORDER BY b.id");
  db_bind_int(s, 1, (int64_t)c->body);
  enum db_result r = DB_ROW;
  uint64_t octets = 0;
  for (size_t n = 0; n < BODIES_A_SLICE && octets < OCTETS_A_SLICE && (r = db_step(s)) == DB_ROW;
       n++) {
    struct body_row b;
    body_row_get(&b, s, 1);
    c->body = b.id;
    octets += b.size;
    check_end(c, a, &b);
    check_body(c, a, &b, db_is_null(s, 0) ? -1 : db_int(s, 0));
  }
  db_reset(s);
  *ret_all = r != DB_ROW;
  return r == DB_ROW || r == DB_CORRUPT ? DB_OK : r;
}

struct listing_arg {
  struct check *check;
  struct admin_job *job;
  unsigned folder;
  enum db_result r;
};

/* By the index alone: only few of the bodies are files. */
static enum db_result has_row(struct db *db, uint64_t id, bool *ret) {
  struct db_stmt *s =
      db_prepare(db, "SELECT min(id) FROM body WHERE start IS NOT NULL AND id >= ?");
  db_bind_int(s, 1, (int64_t)id);
  enum db_result r = db_step(s);
  *ret = r == DB_ROW && !db_is_null(s, 0) && db_int(s, 0) == (int64_t)id;
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static void check_listed(void *arg, uint64_t id, const char *entry) {
  struct listing_arg *l = arg;
  struct buf text;
  bool row = false;
  if (l->r != DB_OK || (id && id >= l->check->next_body)) return;
  if (id) l->r = has_row(l->check->whole.db, id, &row);
  if (l->r != DB_OK || row) return;
  buf_init(&text, 512);
  buf_printf(&text, "the file bodies/%02x/%.255s belongs to no message", l->folder, entry);
  find_text(l->check, l->job, "note", &text);
}

static enum db_result check_listing(struct check *c, struct admin_job *a, unsigned folder) {
  struct listing_arg l = { c, a, folder, DB_OK };
  int failed = bodies_list(c->whole.disk, folder, check_listed, &l);
  return failed ? db_result_of(failed) : l.r;
}

/* --- the whole --- */

static enum db_result note_next_body(struct check *c) {
  struct db_stmt *s = db_prepare(c->whole.db, "SELECT next_body FROM store");
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  c->next_body = (uint64_t)db_int(s, 0);
  db_reset(s);
  return DB_OK;
}

static enum db_result one_stage(struct check *c, struct admin_job *a) {
  bool all = true;
  enum db_result r;
  if (c->stage == 0) {
    r = note_next_body(c);
    if (r == DB_OK || r == DB_CORRUPT) r = check_pages(c, a);
  } else if (c->stage <= QUERIES) {
    r = check_rows(c, a, c->stage - 1);
  } else if (c->stage == QUERIES + 1) {
    r = check_some_bodies(c, a, &all);
  } else {
    r = check_listing(c, a, c->stage - QUERIES - 2);
  }
  c->stage += all;
  return r;
}

enum db_result verb_check(struct store_engine *e, struct admin_job *a) {
  struct check *c = a->state;
  if (!c || e->writer) return whole_begin(e, a, sizeof *c) ? DB_OK : DB_NOMEM;
  admin_columns(a, "kind finding");
  enum db_result r = whole_connect(&c->whole);
  if (r == DB_OK && !c->stage) r = db_begin_read(c->whole.db);
  if (r == DB_OK) r = one_stage(c, a);
  a->job.again = r == DB_OK && c->stage < QUERIES + 2 + STORE_BODY_FOLDERS;
  if (r != DB_OK || a->job.again) return r;
  if (c->findings)
    return admin_send(a, CLI_DAMAGE,
                      "%u findings: restore a backup, or stop the server and keep what can be read "
                      "with qasid salvage",
                      c->findings);
  return admin_send(a, CLI_OK, "no damage found%s",
                    c->notes ? "; files without a message are removed when the store is idle" : "");
}
