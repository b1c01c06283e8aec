/* SPDX-License-Identifier: ISC */
/* `qasid plan`, the store's part: whom an address leads to, and the state of the destinations in
 * the queue. Nothing is changed. */
#include <stdarg.h>
#include <stdio.h>

#include "mail/address.h"
#include "src/store/owner/admin.h"
#include "src/store/owner/relay.h"
#include "src/store/owner/routes.h"

enum { PLAN_MAILBOXES_SHOWN = 100, PLAN_ELSEWHERE_SHOWN = 100, PLAN_PATH_MAX = 254 };

/* step: "address", "mailbox", "elsewhere", "queue"; the other columns: for "elsewhere" */
#define PLAN_COLUMNS "step name state what destination path account sender"

static void plan_row(struct admin_job *a, const char *step, struct slice name, const char *state,
                     struct slice what) {
  const struct slice none = SLICE("");
  ADMIN_ROW(a, slice_str(step), name, slice_str(state), what, none, none, none, none);
}

static void plan_note(struct admin_job *a, const char *step, struct slice name, const char *state,
                      const char *what) {
  plan_row(a, step, name, state, slice_str(what));
}

/* --- mailboxes here --- */

static void plan_mailboxes(struct store *s, struct admin_job *a) {
  const struct dir_found *f = &s->found;
  for (size_t i = 0; i < f->count && i < PLAN_MAILBOXES_SHOWN; i++) {
    struct dir_account x;
    struct buf name;
    buf_init(&name, DIR_ADDRESS_MAX);
    dir_put_name(&s->dir, f->accounts[i], &name);
    bool room = dir_account(&s->dir, f->accounts[i], &x) != DIR_FOUND ||
                store_room(s, &x, 0) == ROOM_ENOUGH;
    plan_note(a, "mailbox", admin_copy(a, buf_slice(&name)), room ? "ours" : "full",
              room ? "it is put into this mailbox"
                   : "the mailbox is full: the client is told to come again (452 4.2.2)");
    buf_free(&name);
  }
  if (f->count > PLAN_MAILBOXES_SHOWN)
    plan_note(a, "mailbox", admin_num(a, f->count - PLAN_MAILBOXES_SHOWN), "more",
              "mailboxes more");
}

/* --- elsewhere --- */

static struct slice plan_printf(struct admin_job *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static struct slice plan_printf(struct admin_job *a, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return admin_copy(a, slice_str(text));
}

/* The first reason in the order of queue_reasons.def that applies to a destination as a whole;
 * `head`: the destination including what its routing depends on. */
static void plan_queue(struct store *s, struct admin_job *a, struct slice destination,
                       struct slice head) {
  const struct sched_head *h = sched_find(&s->outbound.schedule, head);
  int64_t now = a->job.now_s;
  if (!s->conf->send)
    plan_note(a, "queue", destination, "off", "the option send is no: it would be refused");
  else if (h && h->dead_until > now)
    plan_row(a, "queue", destination, "host-dead",
             plan_printf(a, "no server of it could be spoken to; it is tried again in %lld s",
                         (long long)(h->dead_until - now)));
  else if (!s->outbound.sender)
    plan_note(a, "queue", destination, "no-sender", "no sender runs now: it would wait");
  else if (h && h->in_hands >= h->window)
    plan_row(a, "queue", destination, "destination-limit",
             plan_printf(a, "%u messages are on their way to it, as many as may be", h->in_hands));
  else if (!s->outbound.credit)
    plan_note(a, "queue", destination, "sender-full",
              "the sender has as much as it takes: it would wait");
  else if (h && h->due > now && h->due != SCHED_NEVER)
    plan_row(a, "queue", destination, "back-off",
             plan_printf(
                 a,
                 "mail that waits there is tried again in %lld s; what comes now is sent at once",
                 (long long)(h->due - now)));
  else
    plan_note(a, "queue", destination, "due", "nothing holds it up: it is sent at once");
}

/* The reverse-path with which it would be sent: rewritten to the forwarder's domain, if there is a
 * forwarder. */
static struct slice plan_path(struct store *s, struct admin_job *a, struct slice from,
                              struct slice forwarder) {
  struct slice domain = slice_from(forwarder, (size_t)(slice_rfind(forwarder, '@') + 1)),
               path = from;
  struct buf rewritten, own;
  if (!forwarder.n || !from.n) return from;
  buf_init(&rewritten, ENVELOPE_PATH_MAX), buf_init(&own, ENVELOPE_PATH_MAX);
  dir_fold_domain(&own, from);
  if (!dir_is_ours(&s->dir, buf_slice(&own)) &&
      srs_forward(&rewritten, slice_of(s->outbound.secret, SRS_SECRET), from, domain, a->job.now_s,
                  PLAN_PATH_MAX))
    path = admin_copy(a, buf_slice(&rewritten));
  buf_free(&rewritten), buf_free(&own);
  return path;
}

static void plan_elsewhere(struct store *s, struct admin_job *a, const struct queue_letter *letter,
                           struct slice address, struct slice forwarder) {
  struct buf domain, wire, head;
  struct routes_whose whose;
  buf_init(&domain, ENVELOPE_PATH_MAX), buf_init(&wire, 2 * ENVELOPE_PATH_MAX);
  buf_init(&head, QUEUE_DESTINATION_MAX);
  routes_whose(s, letter, forwarder, &whose);
  dir_fold_domain(&domain, address);
  address_put_quoted(&wire, address);
  struct slice destination = admin_copy(a, buf_slice(&domain)),
               name = admin_copy(a, buf_slice(&wire));
  struct slice what =
      forwarder.n ? plan_printf(a, "forwarded by %.*s", SLICE_ARG(slice_first(forwarder, 300)))
                  : SLICE("not a domain of ours: it leaves, for those who may send");
  routes_put_destination(s, destination, &whose, &head);
  ADMIN_ROW(a, SLICE("elsewhere"), name, forwarder.n ? SLICE("forwarded") : SLICE("elsewhere"),
            what, destination, plan_path(s, a, letter->return_path, forwarder),
            buf_slice(&whose.account), buf_slice(&whose.sender));
  plan_queue(s, a, destination, buf_slice(&head));
  routes_whose_free(&whose);
  buf_free(&domain), buf_free(&wire), buf_free(&head);
}

/* --- the address --- */

static void plan_entry(struct store *s, struct admin_job *a, struct slice address) {
  bool forwards;
  struct buf text;
  buf_init(&text, DIR_ADDRESS_MAX);
  dir_entry(&s->dir, address, s->conf->recipient_delimiter, &text, &forwards);
  struct slice entry = buf_slice(&text);
  if (!entry.n)
    plan_note(a, "address", address, "ours",
              "it has no entry of its own, and reaches the postmaster");
  else if (slice_at(entry, 0) == '@')
    plan_note(a, "address", address, "catch-all", "the domain's catch-all takes it");
  else
    plan_row(a, "address", address, forwards ? "alias" : "account",
             plan_printf(a, "%.*s %s", SLICE_ARG(slice_first(entry, 300)),
                         forwards ? "leads to others" : "is an account here"));
  buf_free(&text);
}

/* The hypothetical message: from an authorized sender, submitted by that account. False: there is
 * no such account. */
static bool plan_letter(struct store *s, struct admin_job *a, struct slice from,
                        struct slice account, struct queue_letter *ret) {
  struct buf text;
  *ret = (struct queue_letter){ .return_path = from.n ? from : account, .flags = ENVELOPE_OURS };
  buf_init(&text, DIR_ADDRESS_MAX);
  dir_fold_domain(&text, ret->return_path);
  if (dir_is_ours(&s->dir, buf_slice(&text))) ret->flags |= QUEUE_PATH_OURS;
  buf_reset(&text);
  dir_begin(&s->found);
  if (account.n && dir_resolve(&s->dir, account, "", &s->found) == DIR_FOUND && s->found.count == 1)
    dir_put_name(&s->dir, s->found.accounts[0], &text);
  bool good = !account.n || dir_is_same(buf_slice(&text), account);
  if (good && account.n) ret->account = s->found.accounts[0];
  if (!good)
    admin_send(a, CLI_NOT_FOUND, "there is no account %.*s", SLICE_ARG(slice_first(account, 300)));
  buf_free(&text);
  return good;
}

void admin_plan(struct store *s, struct admin_job *a) {
  struct slice address = a->words[0], from = a->count > 1 ? a->words[1] : SLICE("");
  struct queue_letter letter;
  admin_columns(a, PLAN_COLUMNS);
  if (address.n > ENVELOPE_PATH_MAX || from.n > ENVELOPE_PATH_MAX) {
    admin_send(a, CLI_USAGE, "an address has at most %d octets", ENVELOPE_PATH_MAX);
    return;
  }
  if (!plan_letter(s, a, from, a->count > 2 ? a->words[2] : SLICE(""), &letter)) return;
  dir_begin(&s->found);
  enum dir_result r = dir_resolve(&s->dir, address, s->conf->recipient_delimiter, &s->found);
  if (r == DIR_FOUND) plan_entry(s, a, address);
  plan_mailboxes(s, a);
  for (size_t i = 0; i < s->found.elsewhere_count && i < PLAN_ELSEWHERE_SHOWN; i++)
    plan_elsewhere(s, a, &letter, s->found.elsewhere[i].target, s->found.elsewhere[i].forwarder);
  if (r == DIR_UNKNOWN)
    plan_note(a, "address", address, "unknown",
              "our domain has no such address: it is refused (550 5.1.1)");
  if (r == DIR_TROUBLE)
    plan_note(a, "address", address, "trouble",
              "its aliases lead too far, or memory is missing: it is refused for now (4yz)");
  if (r == DIR_ELSEWHERE && slice_rfind(address, '@') < 1)
    admin_send(a, CLI_USAGE, "an address has an @ in it");
  else if (r == DIR_ELSEWHERE)
    plan_elsewhere(s, a, &letter, address, SLICE_NONE);
}
