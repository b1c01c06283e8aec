/* One account's way over:
 *
 *   the old server's list, and ours  →  plan  →  what is new: fetched, and imported with its UIDL
 *   →  durable  →  perhaps: what the old server has no more is deleted here  →  perhaps: the proof
 *
 * The proof reads what is here anew, from the store, and holds it against the list that the old server gave
 * at the beginning: the same UIDLs, and (--prove=full) the same octets. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/num.h"
#include "lib/tls/digest.h"
#include "src/cli/ask.h"
#include "src/cli/importer.h"
#include "src/cli/migrate.h"
#include "src/cli/spooled.h"

enum {
  DELETES_A_TIME = 500,
  /* Servers exist that count the final "." and a CRLF before it. */
  SHORT_IS_FINE = 5,
};

struct one {
  struct migrate_job *job;
  struct migrate_plan plan;
  struct spooled message;
  struct importer to;
  bool importing;
  int code;        /* what the sink ran into */
  uint64_t failed; /* messages that could not be moved; the first is in result->note */
};

static void note(struct one *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct one *o, const char *fmt, ...) {
  char *to = o->job->result->note;
  if (to[0]) return;
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(to, MIGRATE_NOTE, fmt, ap);
  va_end(ap);
}

/* UIDLs may have any length, and octets that are none of a terminal's business. */
static struct slice brief(struct slice uidl) { return slice_first(uidl, 80); }

/* --- what is here --- */

static bool take_rows(struct one *o, const struct table *t) {
  uint64_t uid;
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice uidl = table_cell(t, r, "uidl");
    bool imported = slice_eq(table_cell(t, r, "imported"), SLICE("yes"));
    if (!num_parse(table_cell(t, r, "uid"), UINT32_MAX, &uid)) return false;
    if (!migrate_plan_here(&o->plan, uidl, uid, imported)) return false;
  }
  return true;
}

static int read_here(struct one *o) {
  struct slice words[] = { SLICE("mail"), SLICE("uidls"), slice_str(o->job->account->address) };
  struct table t;
  table_init(&t);
  migrate_plan_forget_here(&o->plan);
  int code = ask_table(o->job->c, ROOM_STORE, words, 3, &t, NULL);
  if (code == CLI_EXIT_OK && !(take_rows(o, &t) && migrate_plan_make(&o->plan)))
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  table_free(&t);
  return code;
}

/* --- fetching --- */

static bool sink_listed(void *arg) {
  struct one *o = arg;
  o->code = read_here(o);
  o->job->result->messages = o->plan.old_count;
  o->job->result->gone = o->plan.gone_count;
  for (size_t i = 0; i < o->plan.old_count; i++)
    if (o->plan.old[i].state == MIGRATE_NEW) o->job->result->coming_octets += o->plan.old[i].size;
  o->job->result->coming = o->plan.new_count;
  if (o->code == CLI_EXIT_OK && o->plan.new_count)
    o->importing = importer_begin(&o->to, o->job->c, o->job->account->address, &o->code);
  return o->code == CLI_EXIT_OK;
}

static bool sink_wants(void *arg, const struct migrate_message *m) {
  const struct one *o = arg;
  return m->state == MIGRATE_NEW || (o->job->prove_octets && m->state == MIGRATE_HERE);
}

static bool sink_piece(void *arg, struct slice octets) {
  struct one *o = arg;
  if (spooled_put(&o->message, octets)) return true;
  o->code = cli_fail(CLI_EXIT_SYSTEM, "a message does not fit into memory: %s", strerror(errno));
  return false;
}

/* False: the message is not taken. */
static bool is_whole(struct one *o, const struct migrate_message *m) {
  if (o->message.size + SHORT_IS_FINE >= m->size || o->job->accept_short) return true;
  note(o,
       "message %llu (%.*s) came with %llu octets, %llu were announced: the old server may be unable to read "
       "it; --accept-short takes it as it is",
       (unsigned long long)m->number, SLICE_ARG(brief(m->shown)), (unsigned long long)o->message.size,
       (unsigned long long)m->size);
  return false;
}

static bool import_it(struct one *o, const struct migrate_message *m, struct slice octets) {
  struct mail_meta meta = { .uidl = m->uidl };
  if (!importer_put(&o->to, octets, IMPORTER_WIRE, &meta)) return false;
  o->job->result->fetched++;
  o->job->result->octets += octets.n;
  return true;
}

static bool sink_end(void *arg, struct migrate_message *m, bool came) {
  struct one *o = arg;
  struct slice octets = SLICE_NONE;
  bool ok = true;
  m->ended = true;
  if (!came)
    note(o, "message %llu (%.*s) did not come whole", (unsigned long long)m->number,
         SLICE_ARG(brief(m->shown)));
  bool fine = came && is_whole(o, m);
  if (fine && !spooled_get(&o->message, &octets)) {
    o->code = cli_fail(CLI_EXIT_SYSTEM, "a message does not fit into memory: %s", strerror(errno));
    ok = fine = false;
  }
  if (fine && (o->job->prove_octets || m->renamed)) m->hashed = digest_of(DIGEST_SHA256, octets, m->hash);
  if (fine && m->renamed && !(m->hashed && migrate_plan_name(&o->plan, m, m->hash))) ok = false;
  if (fine && ok && m->state == MIGRATE_NEW) ok = import_it(o, m, octets);
  if (!fine && m->state == MIGRATE_NEW) o->failed++;
  return spooled_reset(&o->message) && ok;
}

/* Too large, say: nothing was heard of them. */
static void count_passed_over(struct one *o) {
  for (size_t i = 0; i < o->plan.old_count; i++) {
    const struct migrate_message *m = &o->plan.old[i];
    if (m->state != MIGRATE_NEW || m->ended) continue;
    o->failed++;
    note(o, "message %llu (%.*s) of %llu octets was passed over", (unsigned long long)m->number,
         SLICE_ARG(brief(m->shown)), (unsigned long long)m->size);
  }
}

static int fetch(struct one *o) {
  const struct migrate_sink sink = { sink_listed, sink_wants, sink_piece, sink_end, o };
  int code = migrate_old_read(o->job->c, o->job->from, o->job->account, &o->plan, &sink);
  /* What has come is kept, whatever became of the rest. */
  int kept = o->importing ? importer_end(&o->to) : CLI_EXIT_OK;
  if (o->importing) o->job->result->fetched = o->to.counts[IMPORTER_ADDED];
  if (o->code != CLI_EXIT_OK) return o->code;
  if (kept != CLI_EXIT_OK) return kept;
  if (code != CLI_EXIT_OK) return code;
  count_passed_over(o);
  if (!o->failed) return CLI_EXIT_OK;
  return cli_fail(CLI_EXIT_DATA, "%llu of %zu messages could not be fetched: %s",
                  (unsigned long long)o->failed, o->plan.old_count, o->job->result->note);
}

/* --- deleting here what the old server has no more --- */

static int drop_some(struct one *o, size_t *at) {
  struct slice words[3 + DELETES_A_TIME] = { SLICE("mail"), SLICE("drop"),
                                             slice_str(o->job->account->address) };
  char numbers[DELETES_A_TIME][12];
  size_t n = 0;
  uint64_t deleted = 0;
  struct table t;
  for (; *at < o->plan.here_count && n < DELETES_A_TIME; ++*at) {
    const struct migrate_here *h = &o->plan.here[*at];
    if (!migrate_is_left_over(h)) continue;
    snprintf(numbers[n], sizeof numbers[n], "%u", (unsigned)h->uid);
    words[3 + n] = slice_str(numbers[n]);
    n++;
  }
  if (!n) return CLI_EXIT_OK;
  table_init(&t);
  int code = ask_table(o->job->c, ROOM_STORE, words, 3 + n, &t, NULL);
  if (code == CLI_EXIT_OK && t.first && num_parse(table_cell(&t, t.first, "deleted"), UINT32_MAX, &deleted))
    o->job->result->deleted += deleted;
  table_free(&t);
  return code;
}

/* An empty mailbox at the old server where there was mail before is more likely a disk that is not mounted
 * there than a user who tidied up. */
static int mirror(struct one *o) {
  int code = CLI_EXIT_OK;
  if (!o->plan.left_over) return code;
  if (!o->plan.old_count)
    return cli_fail(
        CLI_EXIT_DATA,
        "the old server shows an empty mailbox where %zu messages came from: nothing was deleted here",
        o->plan.left_over);
  for (size_t at = 0; code == CLI_EXIT_OK && at < o->plan.here_count;) code = drop_some(o, &at);
  return code;
}

/* --- the proof --- */

bool migrate_is_proven(const struct migrate_result *r) {
  return r->compared && !r->missing && !r->renamed && !r->left_over && !r->octets_differ;
}

static void compare_uidls(struct one *o) {
  struct migrate_result *r = o->job->result;
  r->compared = true;
  r->renamed = o->plan.renamed;
  r->left_over = o->plan.left_over;
  for (size_t i = 0; i < o->plan.old_count; i++) {
    const struct migrate_message *m = &o->plan.old[i];
    r->missing += m->state == MIGRATE_NEW;
    r->same += m->state != MIGRATE_NEW && !m->renamed;
    if (m->state == MIGRATE_NEW) note(o, "%.*s is not here", SLICE_ARG(brief(m->shown)));
    if (m->renamed)
      note(o, "message %llu there %s", (unsigned long long)m->number,
           m->shown.n ? "has the UIDL of another one" : "has no UIDL of 1 to 70 printable octets (RFC 1939)");
  }
  for (size_t i = 0; i < o->plan.here_count && r->left_over; i++) {
    const struct migrate_here *h = &o->plan.here[i];
    if (migrate_is_left_over(h)) note(o, "%.*s is here and not there", SLICE_ARG(brief(h->uidl)));
  }
}

/* The message that a row of the export begins; NULL: none of ours. */
static struct migrate_here *find_here(const struct map *by_uid, const struct table *columns,
                                      struct slice values) {
  struct migrate_here *found = NULL;
  struct table one = { .columns = columns->columns, .column_count = columns->column_count };
  uint64_t uid;
  arena_init(&one.mem, 64 * 1024);
  one.end = &one.first;
  if (table_add(&one, values) && num_parse(table_cell(&one, one.first, "uid"), UINT32_MAX, &uid))
    found = map_ptr(by_uid, uid);
  table_free(&one);
  return found;
}

static bool index_here(struct one *o, struct map *by_uid) {
  bool ok = true;
  for (size_t i = 0; ok && i < o->plan.here_count; i++)
    if (!o->plan.here[i].gone) ok = map_put_ptr(by_uid, o->plan.here[i].uid, &o->plan.here[i]);
  return ok;
}

/* All of a message is there. */
static bool hash_message(struct one *o, struct migrate_here *h) {
  struct slice octets;
  bool ok = spooled_get(&o->message, &octets);
  if (ok && h) h->hashed = digest_of(DIGEST_SHA256, octets, h->hash);
  return spooled_reset(&o->message) && ok;
}

/* The store sends a row and the octets of each message (ipc/cli_room.h, "export"). */
static int hash_export(struct one *o, struct link *l, const struct map *by_uid) {
  struct slice words[] = { SLICE("export"), slice_str(o->job->account->address) };
  struct migrate_here *under_way = NULL;
  struct table columns;
  struct link_said said = { LINK_LOST, SLICE("the store did not take the command"), CLI_TROUBLE };
  table_init(&columns);
  bool ok = link_ask(l, words, 2) && spooled_reset(&o->message), going = ok;
  while (ok && going) {
    enum link_event event = link_next(l, &said);
    if (event != LINK_OUTPUT) ok = hash_message(o, under_way);
    if (event == LINK_COLUMNS) ok = ok && table_columns(&columns, said.data);
    if (event == LINK_ROW) under_way = find_here(by_uid, &columns, said.data);
    if (event == LINK_OUTPUT) ok = spooled_put(&o->message, said.data);
    going = event != LINK_DONE && event != LINK_LOST;
  }
  table_free(&columns);
  return ok ? link_finish(&said) : cli_fail(CLI_EXIT_TEMPORARY, "the messages here could not be read");
}

static void compare_octets(struct one *o) {
  struct migrate_result *r = o->job->result;
  r->octets_compared = true;
  for (size_t i = 0; i < o->plan.old_count; i++) {
    const struct migrate_message *m = &o->plan.old[i];
    if (m->state != MIGRATE_HERE) continue;
    bool same = m->hashed && m->here->hashed && memcmp(m->hash, m->here->hash, sizeof m->hash) == 0;
    r->octets_same += same;
    r->octets_differ += !same;
    if (!same) note(o, "%.*s does not have the octets that it has there", SLICE_ARG(brief(m->shown)));
  }
}

static int prove(struct one *o) {
  int code = read_here(o);
  if (code != CLI_EXIT_OK) return code;
  compare_uidls(o);
  if (!o->job->prove_octets) return code;
  struct map by_uid;
  map_init(&by_uid);
  struct link *l = link_open(o->job->c, ROOM_STORE, 0, &code);
  if (l && !index_here(o, &by_uid))
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  else if (l)
    code = hash_export(o, l, &by_uid);
  if (l && code == CLI_EXIT_OK) compare_octets(o);
  link_free(&l);
  map_free(&by_uid);
  return code;
}

/* --- the whole --- */

int migrate_one(struct migrate_job *j) {
  struct one o = { .job = j };
  migrate_plan_init(&o.plan);
  int code = CLI_EXIT_OK;
  if (!spooled_open(&o.message))
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory for messages: %s", strerror(errno));
  if (code == CLI_EXIT_OK) code = fetch(&o);
  if (code == CLI_EXIT_OK && j->mirror) code = mirror(&o);
  if (code == CLI_EXIT_OK && j->prove) code = prove(&o);
  if (o.importing) importer_free(&o.to);
  spooled_close(&o.message);
  migrate_plan_free(&o.plan);
  return code;
}
