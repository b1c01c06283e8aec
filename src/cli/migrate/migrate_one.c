/* SPDX-License-Identifier: ISC */
/* Migrates one account:
 *
 *   the old server's list (the account is created, if necessary), and ours
 *   → plan
 *   → what is new or in doubt: fetched, compared, and imported with its UIDL → durable
 *   → if requested: what the old server no longer has is deleted here
 *   → if requested: verification
 *
 * A message at which the session ends is skipped by another session, and counts as one that could
 * not be moved.
 *
 * Verification reads the account again, from the store, and compares it with the list that the old
 * server gave at the beginning: the same UIDLs and sizes, or (--prove=full) the same UIDLs and
 * octets. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/num.h"
#include "lib/tls/digest.h"
#include "src/cli/admin/account.h"
#include "src/cli/link/ask.h"
#include "src/cli/migrate/exported.h"
#include "src/cli/link/importer.h"
#include "src/cli/migrate/migrate.h"
#include "src/cli/link/spooled.h"
#include "src/cli/client/stepped.h"

enum {
  DELETES_A_TIME = 500,
  /* Some servers count the final "." and a CRLF before it. */
  SHORT_IS_FINE = 5,
};

struct one {
  struct migrate_job *job;
  struct migrate_plan plan;
  struct spooled message;
  struct importer to;
  bool importing, made;
  struct stepped stepped;
  int code;        /* the sink's error */
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

/* UIDLs may have any length, and octets that must not reach a terminal. */
static struct slice brief(struct slice uidl) { return slice_first(uidl, 80); }

/* --- what is here --- */

static uint64_t number_or_any(struct slice s) {
  uint64_t n;
  return num_parse(s, INT64_MAX, &n) ? n : MIGRATE_ANY;
}

static bool take_rows(struct one *o, const struct table *t) {
  uint64_t uid;
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice uidl = table_cell(t, r, "uidl");
    bool imported = slice_eq(table_cell(t, r, "imported"), SLICE("yes"));
    if (!num_parse(table_cell(t, r, "uid"), UINT32_MAX, &uid)) return false;
    uint64_t size = number_or_any(table_cell(t, r, "size")),
             sum = number_or_any(table_cell(t, r, "sum"));
    if (!migrate_plan_here(&o->plan, uidl, uid, imported, size, sum)) return false;
  }
  return true;
}

static int read_here(struct one *o) {
  struct slice words[] = { SLICE("mail"), SLICE("uidls"), slice_str(o->job->account->address) };
  struct table t;
  table_init(&t);
  migrate_plan_forget_here(&o->plan);
  int code = ask_table(o->job->c, ROLE_STORE, words, 3, &t, NULL);
  if (code == CLI_EXIT_OK && !(take_rows(o, &t) && migrate_plan_make(&o->plan)))
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  table_free(&t);
  return code;
}

static bool index_here(struct one *o, struct map *by_uid) {
  bool ok = true;
  for (size_t i = 0; ok && i < o->plan.here_count; i++)
    if (!o->plan.here[i].gone) ok = map_put_ptr(by_uid, o->plan.here[i].uid, &o->plan.here[i]);
  return ok;
}

static void take_exported(void *arg, const struct exported *e) {
  struct migrate_here *h = map_ptr(arg, e->uid);
  if (!h) return;
  h->size = e->size;
  h->lines = e->lines;
  memcpy(h->hash, e->digest, sizeof h->hash);
  h->hashed = true;
}

/* An unreadable message stays without a digest, and matches no other. */
static int read_octets_here(struct one *o) {
  struct map by_uid;
  map_init(&by_uid);
  int code = index_here(o, &by_uid)
                 ? exported_each(o->job->c, o->job->account->address, take_exported, &by_uid)
                 : cli_fail(CLI_EXIT_SYSTEM, "no memory");
  map_free(&by_uid);
  return code;
}

/* A doubt because of a message's size may be resolved once its lines are known. */
static int compare_lists(struct one *o) {
  int code = read_here(o);
  if (code != CLI_EXIT_OK || !o->plan.doubt_count) return code;
  code = read_octets_here(o);
  if (code == CLI_EXIT_OK && !migrate_plan_make(&o->plan))
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  return code;
}

/* --- fetching --- */

static bool is_wanted(enum migrate_state s) { return s == MIGRATE_NEW || s == MIGRATE_DOUBT; }

/* The old server has accepted the login, and has listed its mail. */
static int make_account(struct one *o) {
  const struct migrate_account *a = o->job->account;
  struct account_wish w = { .address = slice_str(a->address),
                            .password = a->password,
                            .is_hash = o->job->hashes };
  bool make = a->make && !o->made;
  o->made = true;
  return make ? account_make(o->job->c, &w) : CLI_EXIT_OK;
}

static bool sink_listed(void *arg) {
  struct one *o = arg;
  o->code = make_account(o);
  if (o->code != CLI_EXIT_OK) return false;
  o->code = compare_lists(o);
  o->job->result->messages = o->plan.old_count;
  o->job->result->coming = o->job->result->fetched + o->plan.new_count;
  o->job->result->coming_octets = o->job->result->octets;
  for (size_t i = 0; i < o->plan.old_count; i++)
    if (o->plan.old[i].state == MIGRATE_NEW) o->job->result->coming_octets += o->plan.old[i].size;
  if (o->code == CLI_EXIT_OK && o->plan.new_count + o->plan.doubt_count)
    o->importing = importer_begin(&o->to, o->job->c, o->job->account->address, &o->code);
  return o->code == CLI_EXIT_OK;
}

static bool sink_wants(void *arg, const struct migrate_message *m) {
  const struct one *o = arg;
  return is_wanted(m->state) && !stepped_has(&o->stepped, m->number, m->size, m->shown);
}

static bool sink_piece(void *arg, struct slice octets) {
  struct one *o = arg;
  if (spooled_put(&o->message, octets)) return true;
  o->code = cli_fail(CLI_EXIT_SYSTEM, "a message does not fit into memory: %s", strerror(errno));
  return false;
}

/* False: the message is not imported. */
static bool is_whole(struct one *o, const struct migrate_message *m) {
  if (o->message.size + SHORT_IS_FINE >= m->size || o->job->accept_short) return true;
  note(o,
       "message %llu (%.*s) came with %llu octets, %llu were announced: the old server may be "
       "unable to read "
       "it; --accept-short takes it as it is",
       (unsigned long long)m->number, SLICE_ARG(brief(m->shown)),
       (unsigned long long)o->message.size, (unsigned long long)m->size);
  return false;
}

static bool import_it(struct one *o, const struct migrate_message *m, struct slice octets) {
  struct mail_meta meta = { .uidl = m->uidl };
  if (!importer_put(&o->to, octets, &meta)) return false;
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
  if (fine && !(importer_keeps(octets, &m->kept) && migrate_plan_came(&o->plan, m))) {
    o->code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
    ok = false;
  }
  if (fine && ok && m->state == MIGRATE_NEW) ok = import_it(o, m, octets);
  o->failed += !fine;
  return spooled_reset(&o->message) && ok;
}

/* Counts messages that were never received: too large, for example. */
static void count_passed_over(struct one *o) {
  for (size_t i = 0; i < o->plan.old_count; i++) {
    const struct migrate_message *m = &o->plan.old[i];
    if (!is_wanted(m->state) || m->ended) continue;
    o->failed++;
    note(o, "message %llu (%.*s) of %llu octets was passed over", (unsigned long long)m->number,
         SLICE_ARG(brief(m->shown)), (unsigned long long)m->size);
  }
}

static void count_changed(struct migrate_result *r, uint64_t messages,
                          const struct mail_changes *c) {
  r->changed_messages += messages;
  mail_changes_add(&r->changed, c);
}

/* One session. *ret_again: it ended at a message, and another one can skip that. */
static int fetch_once(struct one *o, bool *ret_again) {
  const struct migrate_sink sink = { sink_listed, sink_wants, sink_piece, sink_end, o };
  struct migrate_result *r = o->job->result;
  struct migrate_message *stuck = NULL;
  uint64_t before = r->fetched;
  o->failed = 0;
  migrate_plan_forget_old(&o->plan);
  int code = migrate_old_read(o->job->c, o->job->from, o->job->account, &o->plan, &sink, &stuck);
  /* What has come is kept, whatever happened to the rest. */
  int kept = o->importing ? importer_end(&o->to) : CLI_EXIT_OK;
  if (o->importing) r->fetched = before + o->to.counts[IMPORTER_ADDED];
  if (o->importing) count_changed(r, o->to.changed_messages, &o->to.changed);
  if (o->importing) importer_free(&o->to);
  o->importing = false;
  if (o->code != CLI_EXIT_OK || kept != CLI_EXIT_OK) return o->code != CLI_EXIT_OK ? o->code : kept;
  *ret_again = code != CLI_EXIT_OK && stuck &&
               stepped_over(&o->stepped, stuck->number, stuck->size, stuck->shown);
  if (!*ret_again) return code;
  note(o, "message %llu (%.*s) ends the session with the old server",
       (unsigned long long)stuck->number, SLICE_ARG(brief(stuck->shown)));
  return code;
}

static int fetch(struct one *o) {
  bool again = true;
  int code = CLI_EXIT_OK;
  while (again) {
    again = false;
    code = fetch_once(o, &again);
  }
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
  int code = ask_table(o->job->c, ROLE_STORE, words, 3 + n, &t, NULL);
  if (code == CLI_EXIT_OK && t.first &&
      num_parse(table_cell(&t, t.first, "deleted"), UINT32_MAX, &deleted))
    o->job->result->deleted += deleted;
  table_free(&t);
  return code;
}

/* An empty mailbox at the old server where there was mail before is more likely a disk that is not
 * mounted there than a user who deleted everything. */
static int mirror(struct one *o) {
  int code = CLI_EXIT_OK;
  if (!o->plan.left_over) return code;
  if (!o->plan.old_count)
    return cli_fail(CLI_EXIT_DATA,
                    "the old server shows an empty mailbox where %zu messages came from: nothing "
                    "was deleted here",
                    o->plan.left_over);
  for (size_t at = 0; code == CLI_EXIT_OK && at < o->plan.here_count;) code = drop_some(o, &at);
  return code;
}

/* --- the proof --- */

bool migrate_is_proven(const struct migrate_result *r) {
  return r->compared && !r->missing && !r->renamed && !r->doubtful && !r->left_over &&
         !r->octets_differ;
}

static void note_renamed(struct one *o, const struct migrate_message *m) {
  if (m->reused)
    note(o, "message %llu there has the UIDL of another one here, %.*s",
         (unsigned long long)m->number, SLICE_ARG(brief(m->shown)));
  else
    note(o, "message %llu there %s", (unsigned long long)m->number,
         m->shown.n ? "has the UIDL of another one"
                    : "has no UIDL of 1 to 70 printable octets (RFC 1939)");
}

static void compare_uidls(struct one *o) {
  struct migrate_result *r = o->job->result;
  r->compared = true;
  r->renamed = o->plan.renamed;
  r->left_over = o->plan.left_over;
  r->gone = o->plan.gone_count;
  for (size_t i = 0; i < o->plan.old_count; i++) {
    const struct migrate_message *m = &o->plan.old[i];
    r->missing += m->state == MIGRATE_NEW;
    r->doubtful += m->state == MIGRATE_DOUBT;
    r->same += m->state == MIGRATE_HERE && !m->renamed;
    if (m->state == MIGRATE_NEW) note(o, "%.*s is not here", SLICE_ARG(brief(m->shown)));
    if (m->state == MIGRATE_DOUBT)
      note(o, "%.*s is another message here", SLICE_ARG(brief(m->shown)));
    if (m->renamed) note_renamed(o, m);
  }
  for (size_t i = 0; i < o->plan.here_count && r->left_over; i++) {
    const struct migrate_here *h = &o->plan.here[i];
    if (migrate_is_left_over(h))
      note(o, "%.*s is here, but not at the old server", SLICE_ARG(brief(h->uidl)));
  }
}

static void compare_octets(struct one *o) {
  struct migrate_result *r = o->job->result;
  r->octets_compared = true;
  r->changed_messages = 0;
  r->changed = (struct mail_changes){ 0 };
  for (size_t i = 0; i < o->plan.old_count; i++) {
    const struct migrate_message *m = &o->plan.old[i];
    if (m->state != MIGRATE_HERE) continue;
    bool same = m->hashed && m->here->hashed &&
                memcmp(m->kept.digest, m->here->hash, sizeof m->here->hash) == 0;
    r->octets_same += same;
    r->octets_differ += !same;
    if (same) count_changed(r, mail_changes_any(&m->kept.changed), &m->kept.changed);
    r->same -= !same && !m->renamed;
    if (!same)
      note(o, "%.*s does not have the octets that it has there", SLICE_ARG(brief(m->shown)));
  }
}

static int prove(struct one *o) {
  int code = o->job->prove_octets ? read_here(o) : compare_lists(o);
  if (code != CLI_EXIT_OK) return code;
  compare_uidls(o);
  if (o->job->prove_octets) code = read_octets_here(o);
  if (o->job->prove_octets && code == CLI_EXIT_OK) compare_octets(o);
  return code;
}

/* --- the whole --- */

int migrate_one(struct migrate_job *j) {
  struct one o = { .job = j };
  migrate_plan_init(&o.plan);
  o.plan.every_octet = j->prove_octets;
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
