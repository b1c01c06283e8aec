/* SPDX-License-Identifier: ISC */
/* Selects the recipients that a queue command is about, in slices (admin_queue.h).
 *
 *   words → filters → the stage (index) that narrows most → gathered row numbers
 *   → each row is read and checked against all filters
 *
 * Invariants: a slice examines a bounded number of rows; rows that arrive after the command began
 * are not selected; a row is returned once. */
#include <stdlib.h>

#include "lib/base/array.h"
#include "lib/base/units.h"
#include "src/store/sql/admin_queue.h"
#include "src/store/sql/names.h"
#include "src/store/sql/queue_count.h"
#include "src/store/sql/work.h"

enum { GATHER_A_SLICE = 5000, CLOCK_SLACK_S = 3600 };

/* --- words --- */

/* False: the value is invalid for that selector, or *r is an error. */
typedef bool take_fn(struct store_engine *e, struct selection *x, struct slice value, int64_t now_s,
                     enum db_result *r);

static bool take_age(struct slice value, int64_t now_s, int64_t *ret) {
  uint64_t seconds;
  if (!units_time(value, &seconds) || seconds > INT32_MAX) return false;
  *ret = now_s - (int64_t)seconds;
  return true;
}

static bool take_state(struct store_engine *e, struct selection *x, struct slice value,
                       int64_t now_s, enum db_result *r) {
  x->state = slice_eq(value, SLICE("held")) ? QUEUE_HELD : QUEUE_WAITING;
  return slice_eq(value, SLICE("held")) || slice_eq(value, SLICE("waiting"));
}

static bool take_reason(struct store_engine *e, struct selection *x, struct slice value,
                        int64_t now_s, enum db_result *r) {
  x->reason = queue_reason_named(value);
  if (x->reason < QUEUE_REASONS) return true;
  x->class = value;
  return smtp_class_named(value) < SMTP_CLASSES;
}

/* An account that does not exist selects nothing (0 would select the rows that came without a
 * login). */
static bool take_account(struct store_engine *e, struct selection *x, struct slice value,
                         int64_t now_s, enum db_result *r) {
  struct db_stmt *s = db_prepare(e->db, "SELECT id FROM account WHERE name = ?");
  db_bind_text(s, 1, value);
  *r = db_step(s);
  x->account = *r == DB_ROW ? db_int(s, 0) : INT64_MAX;
  db_reset(s);
  if (*r == DB_ROW) *r = DB_OK;
  return *r == DB_OK;
}

static bool take_to(struct store_engine *e, struct selection *x, struct slice value, int64_t now_s,
                    enum db_result *r) {
  return (x->to = value).p != NULL;
}
static bool take_from(struct store_engine *e, struct selection *x, struct slice value,
                      int64_t now_s, enum db_result *r) {
  return (x->from = value).p != NULL;
}
static bool take_older(struct store_engine *e, struct selection *x, struct slice value,
                       int64_t now_s, enum db_result *r) {
  return take_age(value, now_s, &x->came_by);
}
static bool take_newer(struct store_engine *e, struct selection *x, struct slice value,
                       int64_t now_s, enum db_result *r) {
  return take_age(value, now_s, &x->came_from);
}
static bool take_address(struct store_engine *e, struct selection *x, struct slice value,
                         int64_t now_s, enum db_result *r) {
  return (x->address = value).n > 0;
}
static bool take_id(struct store_engine *e, struct selection *x, struct slice value, int64_t now_s,
                    enum db_result *r) {
  return (x->id = value).n > 0;
}

/* The last two have no key: a word with an @, and any other. */
static const struct selector {
  const char *key;
  take_fn *take;
} selectors[] = {
  { "to=", take_to },       { "from=", take_from },     { "account=", take_account },
  { "state=", take_state }, { "reason=", take_reason }, { "older=", take_older },
  { "newer=", take_newer }, { "", take_address },       { "", take_id },
};
enum { SELECTORS = sizeof selectors / sizeof *selectors, ADDRESS_AT = SELECTORS - 2, ID_AT };

/* SELECTORS: none. An address may contain =, an id never does. */
static size_t selector_of(struct slice word, struct slice *ret_value) {
  for (size_t i = 0; i < ADDRESS_AT; i++) {
    struct slice key = slice_str(selectors[i].key);
    if (!slice_starts(word, key)) continue;
    *ret_value = slice_from(word, key.n);
    return i;
  }
  *ret_value = word;
  if (slice_find(word, '@') >= 0) return ADDRESS_AT;
  return slice_find(word, '=') >= 0 ? SELECTORS : ID_AT;
}

/* False: the command has been answered, or *r is an error. */
static bool take_word(struct store_engine *e, struct admin_job *a, struct selection *x,
                      struct slice word, enum db_result *r) {
  struct slice value, shown = slice_first(word, 200);
  size_t at = selector_of(word, &value);
  bool again = at < SELECTORS && (x->given & 1u << at);
  if (!again && at < SELECTORS && selectors[at].take(e, x, value, a->job.now_s, r)) {
    x->given |= 1u << at;
    return true;
  }
  if (*r == DB_OK && again)
    *r = admin_send(a, CLI_USAGE, "\"%.*s\": each selector may be given once only",
                    SLICE_ARG(shown));
  else if (*r == DB_OK)
    *r = admin_send(a, CLI_USAGE,
                    "\"%.*s\" is not a selector: these are the id of a message, an address, "
                    "to=ADDRESS|DOMAIN, from=ADDRESS|DOMAIN, account=ADDRESS, state=held|waiting, "
                    "reason=REASON|CLASS, older=TIME, newer=TIME",
                    SLICE_ARG(shown));
  return false;
}

/* --- stages: each an index --- */

enum stage {
  BY_ALL,
  BY_ID,
  BY_TO,
  BY_FROM,
  BY_FROM_DOMAIN,
  BY_CLASS,
  BY_HELD,
  BY_DUE,
  BY_HELD_TO,
  BY_ACCOUNT,
  BY_VIEW,
  STAGES
};

/* The rows of a state and a destination. */
#define DUE_OF(state)                                                           \
  QUEUE_BEYOND("SELECT id, due, id AS last FROM recipient WHERE state = " state \
               " AND destination = ?3 AND ",                                    \
               "due", "id", " AND id <= ?4")                                    \
  " LIMIT 5000"

/* The recipients of letters found by one of their columns. */
#define LETTERS_BY(column)                                                            \
  "SELECT r.id, l.body, r.id FROM letter l JOIN recipient r ON r.body = l.body WHERE" \
  " l." column " = ?3 AND l.body >= ?1 AND (l.body > ?1 OR r.id > ?2) AND r.id <= ?4" \
  " ORDER BY l.body, r.id LIMIT 5000"

/* Recipients in the order of their rows; the second number of the cursor is unused. */
#define ROWS_WHERE(filter)                                                    \
  "SELECT id, id, 0 FROM recipient WHERE " filter " AND id > ?1 AND id <= ?4" \
  " AND CAST(?2 AS BIGINT) IS NOT NULL ORDER BY id LIMIT 5000"
#define NO_VALUE "CAST(?3 AS TEXT) IS NULL"

/* ?1 ?2: the cursor; ?3: the value; ?4: the last row. Columns: row, the new cursor. */
static const char *const gathers[STAGES] = {
  [BY_ALL] = ROWS_WHERE(NO_VALUE),
  [BY_ID] = LETTERS_BY("name"),
  [BY_TO] = ROWS_WHERE("address = ?3"),
  [BY_FROM] = LETTERS_BY("return_path"),
  [BY_FROM_DOMAIN] = LETTERS_BY("domain"),
  [BY_CLASS] = ROWS_WHERE("class = ?3"),
  [BY_HELD] = ROWS_WHERE("state = 1 AND " NO_VALUE),
  [BY_DUE] = DUE_OF("0"),
  [BY_HELD_TO] = DUE_OF("1"),
  [BY_ACCOUNT] = LETTERS_BY("account"),
};

static void use(struct selection *x, enum stage s) { x->stages[x->stage_count++] = (uint8_t)s; }

static bool is_whole(struct slice address) { return slice_find(address, '@') >= 0; }

static bool only_held(const struct selection *x) {
  return x->state == QUEUE_HELD || x->reason == QUEUE_REASON_HELD ||
         x->reason == QUEUE_REASON_LIMITS || x->reason == QUEUE_REASON_TO_FAIL;
}

/* Chooses the narrowest stage. For a domain of recipients: those that wait, then those that are
 * held. */
static void choose(struct selection *x) {
  if (x->id.p)
    use(x, BY_ID);
  else if (x->address.p)
    use(x, BY_TO), use(x, BY_FROM);
  else if (x->to.p && is_whole(x->to))
    use(x, BY_TO);
  else if (x->from.p && is_whole(x->from))
    use(x, BY_FROM);
  else if (queue_reason_in_hands(x->reason))
    use(x, BY_VIEW);
  else if (x->to.p && only_held(x))
    use(x, BY_HELD_TO);
  else if (x->to.p)
    use(x, BY_DUE), use(x, BY_HELD_TO);
  else if (x->from.p)
    use(x, BY_FROM_DOMAIN);
  else if (x->class.p)
    use(x, BY_CLASS);
  else if (x->account >= 0)
    use(x, BY_ACCOUNT);
  else
    use(x, only_held(x) ? BY_HELD : BY_ALL);
}

static void to_domain(struct selection *x) {
  x->destination_n = slice_lower(slice_first(x->to, SEND_DESTINATION_MAX), x->destination).n;
}

static struct slice value_of(const struct selection *x, enum stage s) {
  switch (s) {
  case BY_ID: return x->id;
  case BY_TO: return x->to.p ? x->to : x->address;
  case BY_FROM: return x->from.p ? x->from : x->address;
  case BY_FROM_DOMAIN: return slice_of(x->sender, x->sender_n);
  case BY_CLASS: return x->class;
  case BY_DUE:
  case BY_HELD_TO: return slice_of(x->destination, x->destination_n);
  default: return SLICE_NONE;
  }
}

static enum db_result one_number(struct db_stmt *s, int64_t *ret) {
  enum db_result r = db_step(s);
  if (r == DB_ROW) *ret = db_int(s, 0);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

/* Rows that come later are not selected. Rows are in the order of their messages' times unless the
 * clock was set back: the last row that can match `older` is about there. */
static enum db_result find_last(struct store_engine *e, struct selection *x) {
  enum db_result r =
      one_number(db_prepare(e->db, "SELECT coalesce(max(id), 0) FROM recipient"), &x->last);
  if (r != DB_OK || x->came_by == INT64_MAX) return r;
  struct db_stmt *s =
      db_prepare(e->db, "SELECT max(r.id) FROM recipient r WHERE r.body = (SELECT body FROM letter"
                        " WHERE came <= ? ORDER BY came DESC, body DESC LIMIT 1)");
  db_bind_int(s, 1, x->came_by + CLOCK_SLACK_S);
  return one_number(s, &x->last);
}

/* The same for `newer`, if the cursor is a row. */
static enum db_result find_first(struct store_engine *e, struct selection *x) {
  if (x->came_from == 0 || x->stages[0] != BY_ALL) return DB_OK;
  struct db_stmt *s = db_prepare(
      e->db, "SELECT coalesce((SELECT min(r.id) - 1 FROM recipient r WHERE r.body = (SELECT body"
             " FROM letter WHERE came >= ?1 ORDER BY came, body LIMIT 1)), ?2)");
  db_bind_int(s, 1, x->came_from - CLOCK_SLACK_S);
  db_bind_int(s, 2, x->last);
  return one_number(s, &x->cursor[0]);
}

static bool parse(struct store_engine *e, struct admin_job *a, struct selection *x,
                  enum db_result *r) {
  x->account = x->state = -1;
  x->came_by = INT64_MAX;
  x->reason = QUEUE_REASONS;
  x->given = 0;
  for (size_t i = 0; i < a->count; i++)
    if (!take_word(e, a, x, a->words[i], r)) return false;
  choose(x);
  to_domain(x);
  x->sender_n = slice_lower(slice_first(x->from, sizeof x->sender), x->sender).n;
  x->parsed = true;
  *r = find_last(e, x);
  if (*r == DB_OK) *r = find_first(e, x);
  return *r == DB_OK;
}

/* --- gathering --- */

static bool add_row(struct selection *x, int64_t row) {
  if (!array_reserve(&x->rows, &x->cap, x->count + 1, sizeof *x->rows)) return false;
  x->rows[x->count++] = row;
  return true;
}

static int by_number(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/* Each once, in the order in which they came. */
static void put_in_order(struct selection *x) {
  size_t n = 0;
  x->gathered = true;
  if (x->count > 1) qsort(x->rows, x->count, sizeof *x->rows, by_number);
  for (size_t i = 0; i < x->count; i++)
    if (!n || x->rows[n - 1] != x->rows[i]) x->rows[n++] = x->rows[i];
  x->count = n;
}

static enum db_result gather_view(struct selection *x) {
  for (size_t i = 0; i < x->view->row_count; i++)
    if (!add_row(x, (int64_t)x->view->rows[i].row)) return DB_NOMEM;
  x->stage++;
  return DB_OK;
}

/* A domain's rows are followed by those that wait under the domain and a selector of `routes`
 * (src/store/owner/routes.h): names between "domain" and "domain!". False: there are none. */
static bool next_destination(struct store_engine *e, struct selection *x, enum stage stage,
                             enum db_result *r) {
  if (stage != BY_DUE && stage != BY_HELD_TO) return false;
  struct db_stmt *s =
      db_prepare(e->db, "SELECT destination FROM recipient WHERE state = ?1 AND destination > ?2"
                        " AND destination < ?3 || '!' ORDER BY destination LIMIT 1");
  db_bind_int(s, 1, stage == BY_DUE ? QUEUE_WAITING : QUEUE_HELD);
  db_bind_text(s, 2, slice_of(x->destination, x->destination_n));
  to_domain(x);
  db_bind_text(s, 3, slice_of(x->destination, x->destination_n));
  *r = db_step(s);
  bool found = *r == DB_ROW && db_bytes(s, 0).n <= sizeof x->destination;
  if (found) memcpy(x->destination, db_bytes(s, 0).p, x->destination_n = db_bytes(s, 0).n);
  db_reset(s);
  if (*r == DB_ROW) *r = DB_OK;
  return found;
}

static enum db_result gather(struct store_engine *e, struct selection *x) {
  enum stage stage = x->stages[x->stage];
  if (stage == BY_VIEW) return gather_view(x);
  struct db_stmt *s = db_prepare(e->db, gathers[stage]);
  struct slice value = value_of(x, stage);
  enum db_result r;
  size_t n = 0;
  db_bind_int(s, 1, x->cursor[0]);
  db_bind_int(s, 2, x->cursor[1]);
  if (stage == BY_ACCOUNT)
    db_bind_int(s, 3, x->account);
  else if (value.p)
    db_bind_text(s, 3, value);
  else
    db_bind_null(s, 3);
  db_bind_int(s, 4, x->last);
  while ((r = db_step(s)) == DB_ROW) {
    n++;
    x->cursor[0] = db_int(s, 1);
    x->cursor[1] = db_int(s, 2);
    if (add_row(x, db_int(s, 0))) continue;
    db_reset(s);
    return DB_NOMEM;
  }
  if (r == DB_OK && n < GATHER_A_SLICE) {
    x->stage += !next_destination(e, x, stage, &r);
    x->cursor[0] = x->cursor[1] = 0;
  }
  return r;
}

static void selection_free(void *state) {
  struct selection *x = state;
  free(x->rows);
  free(x);
}

bool selection_ready(struct store_engine *e, struct admin_job *a, struct selection **ret,
                     enum db_result *r) {
  struct selection *x = *ret = a->state;
  *r = a->view ? DB_OK : DB_NOMEM;
  if (!x && *r == DB_OK) {
    x = *ret = calloc(1, sizeof *x);
    if (!x)
      *r = DB_NOMEM;
    else
      admin_set_state(a, x, selection_free);
  }
  if (*r != DB_OK) return false;
  x->view = a->view;
  if (!x->parsed && !parse(e, a, x, r)) return false;
  if (x->gathered) return true;
  *r = gather(e, x);
  if (*r != DB_OK) return false;
  if (x->stage == x->stage_count) put_in_order(x);
  a->job.again = !x->gathered || x->count > 0;
  return x->gathered;
}

/* --- going through --- */

static bool place_fits(struct slice want, struct slice address) {
  ptrdiff_t at = slice_rfind(address, '@');
  if (!want.p) return true;
  return is_whole(want) ? slice_eq(want, address)
                        : at >= 0 && slice_caseeq(want, slice_from(address, (size_t)at + 1));
}

static bool fits(const struct selection *x, const struct selected *s, int64_t account) {
  if (x->id.p && !slice_eq(x->id, s->name)) return false;
  if (x->address.p && !slice_eq(x->address, s->address) && !slice_eq(x->address, s->return_path))
    return false;
  if (x->class.p && !slice_eq(x->class, s->class)) return false;
  if (x->reason < QUEUE_REASONS && x->reason != s->why.reason) return false;
  if (x->state >= 0 && (s->to_fail || x->state != (s->held ? QUEUE_HELD : QUEUE_WAITING)))
    return false;
  return place_fits(x->to, s->address) && place_fits(x->from, s->return_path) &&
         (x->account < 0 || x->account == account) && s->came <= x->came_by &&
         s->came >= x->came_from;
}

static void take_row(struct admin_job *a, struct selection *x, struct db_stmt *s,
                     struct selected *ret) {
  *ret = (struct selected){
    .row = db_int(s, 0),
    .body = db_int(s, 1),
    .came = db_int(s, 2),
    .due = db_int(s, 3),
    .tries = db_int(s, 4),
    .held = db_int(s, 5) == QUEUE_HELD && db_int(s, 8) != QUEUE_TO_FAIL,
    .to_fail = db_int(s, 8) == QUEUE_TO_FAIL,
    .code = db_int(s, 6),
    .size = db_int(s, 7),
    .expires = db_int(s, 8),
    .warned = db_int(s, 9) != 0,
    .name = db_bytes(s, 10),
    .return_path = db_bytes(s, 11),
    .address = db_bytes(s, 12),
    .reply = db_bytes(s, 13),
    .class = db_bytes(s, 14),
    .destination = db_bytes(s, 15),
    .held_by = db_int(s, 17),
    .kind = (uint8_t)queue_kind_of(db_int(s, 5), db_int(s, 17), db_int(s, 8)),
  };
  const struct queue_held held = { ret->held, ret->held_by != 0, ret->to_fail };
  ret->why =
      queue_view_why(x->view, (uint64_t)ret->row, ret->destination, &held, ret->due, a->job.now_s);
}

bool selection_next(struct store_engine *e, struct admin_job *a, struct selection *x, size_t most,
                    size_t *looked, struct selected *ret, enum db_result *r) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT r.id, r.body, l.came, r.due, r.tries, r.state, r.code, b.size, r.expires, r.warned,"
      " b.name, l.return_path, r.address, coalesce(r.reply, ''), coalesce(r.class, ''),"
      " r.destination, l.account, r.held_by FROM recipient r JOIN letter l ON l.body = r.body"
      " JOIN body b ON b.id = r.body WHERE r.id = ?");
  *r = DB_OK;
  while (x->now.at < x->count && (*looked)++ < most) {
    db_bind_int(s, 1, x->rows[x->now.at++]);
    *r = db_step(s);
    if (*r == DB_ROW) {
      *r = DB_OK;
      take_row(a, x, s, ret);
      if (fits(x, ret, db_int(s, 16))) return true;
      db_reset(s);
    } else if (*r != DB_OK) {
      return false;
    }
  }
  a->job.again = x->now.at < x->count;
  return false;
}
