/* SPDX-License-Identifier: ISC */
/* import: messages come as one stream of octets (ipc/cli_process.h) and are delivered like all
 * mail, as deliver jobs, many to a group.
 *
 *   LINE --a whole line--> OCTETS --all of a message--> deliver job --> LINE
 *                            |  ^
 *                 64 KB more v  | spooled
 *                           SPOOLING            (further input waits)
 *
 * Rows answer in the order of the messages: a large message begins only when no job is
 * outstanding. */
#include <stdlib.h>

#include "lib/base/num.h"
#include "mail/surrogate.h"
#include "mail/uidl.h"
#include "src/store/owner/admin.h"
#include "src/store/owner/finish.h"

enum { IMPORT_LINE_MAX = 256 };

struct import {
  uint64_t account, inbox;
  struct buf waiting; /* input not yet processed */
  struct buf line;
  struct buf body; /* the part of the current message that is neither spooled nor delivered */
  bool inside;     /* OCTETS or SPOOLING */
  uint64_t left;   /* octets of the message still expected */
  uint64_t date, size;
  uint32_t flags;
  uint64_t surrogate; /* its size, as announced */
  struct buf uidl;
  bool again; /* deliver even if the UIDL is in use or gone */
  bool spooling;
  bool driving;             /* drive() is active further up the stack */
  bool ended;               /* cli_input_end has come */
  bool confused;            /* a malformed first line of a message: all further input is
                             * discarded */
  unsigned out;             /* deliver jobs */
  uint64_t received, taken; /* octets of input */
  uint64_t unsaid;          /* of them, those to be reported with the next row */
  uint64_t added;
};

void import_free(struct import **i) {
  struct import *m = *i;
  if (!m) return;
  buf_free(&m->waiting);
  buf_free(&m->line);
  buf_free(&m->body);
  buf_free(&m->uidl);
  free(m);
  *i = NULL;
}

void import_begin(struct store *s, struct admin_job *a) {
  struct dir_found f;
  struct dir_account account;
  dir_found_init(&f);
  enum dir_result r = dir_resolve(&s->dir, a->words[0], "", &f);
  if (r == DIR_FOUND && f.count == 1) r = dir_account(&s->dir, f.accounts[0], &account);
  if (r == DIR_TROUBLE) {
    admin_send(a, CLI_TROUBLE, "the account %.*s can't be looked up now", SLICE_ARG(a->words[0]));
  } else if (r != DIR_FOUND || f.count != 1) {
    admin_send(a, CLI_NOT_FOUND, "there is no account %.*s", SLICE_ARG(a->words[0]));
  } else {
    struct import *m = calloc(1, sizeof *m);
    if (m) {
      admin_columns(a, "outcome uid taken");
      m->account = account.id;
      m->inbox = account.inbox;
      buf_init(&m->waiting, CLI_IMPORT_WINDOW + IPC_CHUNK);
      buf_init(&m->line, IMPORT_LINE_MAX);
      buf_init(&m->body, IPC_CHUNK);
      buf_init(&m->uidl, UIDL_MAX);
      a->job.session->import = m;
    } else {
      admin_send(a, CLI_TROUBLE, "out of memory");
    }
  }
  dir_found_free(&f);
}

/* --- answers --- */

static void send_row(struct store *s, struct session *session, const char *outcome, uint32_t uid) {
  struct buf list, number;
  struct import *m = session->import;
  buf_init(&list, 256);
  buf_init(&number, 32);
  ipc_list_put(&list, slice_str(outcome));
  if (uid) buf_put_dec(&number, uid);
  ipc_list_put(&list, buf_slice(&number));
  buf_reset(&number);
  buf_put_dec(&number, m->taken);
  ipc_list_put(&list, buf_slice(&number));
  cli_row_put(&s->out, &(struct cli_row){ buf_slice(&list) });
  store_send(s, session, cli_row_type);
  buf_free(&list);
  buf_free(&number);
}

static void send_done(struct store *s, struct session *session) {
  struct import *m = session->import;
  struct cli_done done = { .code = CLI_OK };
  struct buf text;
  buf_init(&text, 200);
  if (m->confused) done.code = CLI_USAGE;
  if (m->confused)
    buf_put_str(&text, "the input is not as an import's should be");
  else if (m->inside || buf_len(&m->line))
    done.code = CLI_USAGE, buf_put_str(&text, "the input ended inside a message");
  else
    buf_printf(&text, "%llu messages added", (unsigned long long)m->added);
  done.text = buf_slice(&text);
  cli_done_put(&s->out, &done);
  store_send(s, session, cli_done_type);
  buf_free(&text);
}

static const char *outcome_word(const struct deliver_job *d) {
  if (d->job.result == JOB_NO_SPACE) return "no-space";
  if (d->job.result != JOB_DONE) return "trouble";
  return d->uidl_found == UIDL_THERE ? "there" : d->uidl_found == UIDL_GONE ? "gone" : "added";
}

/* --- a message's first line --- */

static bool take_line(struct import *m) {
  struct slice rest = buf_slice(&m->line);
  struct slice size = slice_split(&rest, ' '), date = slice_split(&rest, ' '),
               flags = slice_split(&rest, ' ');
  uint64_t number;
  if (!num_parse(size, (uint64_t)1 << 40, &m->size) ||
      !num_parse(date, (uint64_t)1 << 40, &m->date) || !num_parse(flags, UINT32_MAX, &number))
    return false;
  m->flags = (uint32_t)number;
  m->surrogate = SURROGATE_UNKNOWN;
  struct slice given = rest;
  rest = slice_split(&given, ' ');
  struct slice number_given = slice_split(&given, ' ');
  if (number_given.p && !num_parse(number_given, (uint64_t)1 << 46, &m->surrogate)) return false;
  m->again = slice_eq(given, SLICE("again"));
  if (given.p && !m->again) return false;
  buf_reset(&m->uidl);
  if (slice_eq(rest, SLICE("-")))
    rest = SLICE_NONE;
  else if (!uidl_is_valid(rest))
    return false;
  buf_put(&m->uidl, rest);
  m->unsaid += buf_len(&m->line) + 1;
  m->left = m->size;
  m->inside = true;
  buf_reset(&m->line);
  return true;
}

/* False: no line end yet. */
static bool collect_line(struct import *m) {
  struct slice in = buf_slice(&m->waiting);
  ptrdiff_t end = slice_find(in, '\n');
  buf_put(&m->line, end < 0 ? in : slice_first(in, (size_t)end));
  buf_drop(&m->waiting, end < 0 ? in.n : (size_t)end + 1);
  if (m->line.failed) m->confused = true;
  return end >= 0 && !m->confused;
}

/* --- its octets --- */

static void collect_octets(struct import *m, enum job_result spoiled) {
  struct slice in =
      slice_first(buf_slice(&m->waiting), m->left < IPC_CHUNK ? (size_t)m->left : IPC_CHUNK);
  if (spoiled == JOB_DONE) {
    in = slice_first(in, buf_room(&m->body));
    buf_put(&m->body, in);
  }
  m->unsaid += in.n;
  m->left -= in.n;
  buf_drop(&m->waiting, in.n);
}

struct import_job {
  struct deliver_job d;
  uint64_t input; /* octets of input that it answers */
};

/* An import has no size limit, since limits are for untrusted senders; and it is not recorded in
 * the history, which a large one would fill. */
static const struct incoming_road road = { .chunk = KIND_IMPORT_SPOOL,
                                           .message = KIND_IMPORT,
                                           .size = sizeof(struct import_job) };

static enum job_result new_import_job(struct store *s, struct session *session, int64_t now_s,
                                      struct import_job **ret) {
  struct import *m = session->import;
  struct slice uidl = buf_slice(&m->uidl);
  struct deliver_job *d = NULL;
  struct deliver_parts parts = { .name = SLICE("import"),
                                 .uidl = uidl.n ? uidl : SLICE_NONE,
                                 .tail = buf_slice(&m->body),
                                 .surrogate = m->surrogate };
  enum job_result r = incoming_end(s, &road, session, &parts, now_s, &d);
  if (r != JOB_DONE) return r;
  d->again = m->again;
  d->date = (int64_t)m->date;
  d->flags = m->flags;
  *ret = (struct import_job *)d;
  return deliver_into(d, m->account, m->inbox) && deliver_coming(s, d) ? JOB_DONE : JOB_TROUBLE;
}

static void refuse(struct store *s, struct session *session, enum job_result why) {
  struct import *m = session->import;
  incoming_drop(s, &session->in);
  m->taken += m->unsaid;
  m->unsaid = 0;
  send_row(s, session, why == JOB_NO_SPACE ? "no-space" : "trouble", 0);
}

/* The message is complete: passes it on. */
static void deliver(struct store *s, struct session *session, int64_t now_s) {
  struct import *m = session->import;
  struct import_job *j = NULL;
  enum job_result r = new_import_job(s, session, now_s, &j);
  m->inside = false;
  buf_reset(&m->body);
  if (r != JOB_DONE) {
    job_free(j);
    refuse(s, session, r);
    return;
  }
  j->input = m->unsaid;
  m->unsaid = 0;
  m->out++;
  incoming_deliver(s, session, &j->d);
}

static void spool_body(struct store *s, struct session *session, int64_t now_s) {
  struct import *m = session->import;
  struct spool_job *j;
  enum job_result r = incoming_chunk(s, &road, session, buf_slice(&m->body), now_s, &j);
  buf_reset(&m->body);
  if (r != JOB_DONE) return;
  m->spooling = true;
  session_ask(s, session, &j->job);
}

/* --- driving --- */

/* One step with the waiting input. False: nothing more can be done now. */
static bool step(struct store *s, struct session *session, int64_t now_s) {
  struct import *m = session->import;
  if (m->spooling) return false;
  if (m->confused) {
    m->taken += buf_len(&m->waiting) + m->unsaid;
    m->unsaid = 0;
    buf_reset(&m->waiting);
    return false;
  }
  if (!m->inside) {
    if (!buf_len(&m->waiting)) return false;
    if (collect_line(m) && !take_line(m)) m->confused = true;
    return true;
  }
  if (m->size > IPC_CHUNK && m->out) return false;
  if (!m->left) {
    deliver(s, session, now_s);
    return true;
  }
  if (buf_len(&m->body) == IPC_CHUNK) {
    spool_body(s, session, now_s);
    return true;
  }
  if (!buf_len(&m->waiting)) return false;
  collect_octets(m, session->in.spoiled);
  return true;
}

/* A job may finish inside session_ask, and its finish calls this again: the outermost call
 * continues. The command may be over by then. */
static void drive(struct store *s, struct session *session, int64_t now_s) {
  struct import *m = session->import;
  if (m->driving) return;
  m->driving = true;
  while (session->import == m && step(s, session, now_s)) {
  }
  if (session->import == m) m->driving = false;
}

static bool is_over(const struct session *session) {
  const struct import *m = session->import;
  return m->ended && !m->out && !m->spooling && !buf_len(&m->waiting) && !(m->inside && !m->left);
}

static void end_when_over(struct store *s, struct session *session) {
  if (!session->import || !is_over(session)) return;
  send_done(s, session);
  incoming_drop(s, &session->in);
  import_free(&session->import);
}

bool import_message(struct store *s, struct session *session, const struct ipc_msg *m,
                    int64_t now_s) {
  struct import *im = session->import;
  struct cli_input q;
  struct cli_input_end end;
  if (im->ended) return false;
  if (m->type == cli_input_end_type) {
    if (!cli_input_end_get(m->payload, &end)) return false;
    im->ended = true;
  } else {
    if (!cli_input_get(m->payload, &q)) return false;
    im->received += q.data.n;
    if (im->received - im->taken > CLI_IMPORT_WINDOW + IPC_CHUNK) return false;
    buf_put(&im->waiting, q.data);
    if (im->waiting.failed) return false;
  }
  drive(s, session, now_s);
  if (session->import == im && im->confused) send_row(s, session, "more", 0);
  end_when_over(s, session);
  return true;
}

/* The session of a job that came back, or NULL if it is over. Other jobs of it may still be
 * outstanding. */
static struct session *answered(struct store *s, struct session *session) {
  struct import *m = session->import;
  session->pending = m->out || m->spooling;
  if (!session->gone) return session;
  if (!session->pending) session_end(s, session);
  return NULL;
}

void import_finish(struct store *s, struct store_job *j) {
  struct import_job *ij = (struct import_job *)j;
  struct session *session = j->session;
  struct import *m = session->import;
  deliver_count(s, &ij->d);
  m->out--;
  m->taken += ij->input;
  if (!answered(s, session)) return;
  bool added = j->result == JOB_DONE && ij->d.uidl_found == UIDL_NEW;
  m->added += added;
  send_row(s, session, outcome_word(&ij->d), added ? ij->d.places[0].uid : 0);
  drive(s, session, j->now_s);
  end_when_over(s, session);
}

void import_spool_finish(struct store *s, struct store_job *j) {
  struct session *session = j->session;
  struct import *m = session->import;
  m->spooling = false;
  incoming_chunk_done(s, &session->in, j);
  if (!answered(s, session)) return;
  m->taken += m->unsaid;
  m->unsaid = 0;
  send_row(s, session, "more", 0);
  drive(s, session, j->now_s);
  end_when_over(s, session);
}
