/* SPDX-License-Identifier: ISC */
/* The store's kit with an outgoing queue: front-ends that submit mail, and a sender that takes
 * letters and reports their outcomes. */
#ifndef QASID_TESTS_QUEUE_KIT_H
#define QASID_TESTS_QUEUE_KIT_H

#include "tests/unit/store_kit.h"

#include "ipc/sender_store.h"
#include "mail/smtp/client.h"

enum { SENDER = 21, SENDER_2 = 22, SESSION = 5 };

__attribute__((unused)) static void submit_grant(struct kit *k, uint64_t session,
                                                 uint64_t account) {
  assert_true(
      KIT_SAY(k, ROLE_AUTH, AUTH, auth_grant, 9, SMTPD, session, account, GRANT_SUBMISSION));
  assert_true(KIT_HEAR(k, auth_granted).known);
}

__attribute__((unused)) static enum rcpt_verdict rcpt(struct kit *k, uint64_t tag, const char *from,
                                                      const char *to, bool trusted) {
  struct buf list;
  kit_rcpts(&list, to);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, tag,
                      .envelope = { .return_path = slice_str(from), .rcpts = buf_slice(&list) },
                      .trusted = trusted));
  buf_free(&list);
  return KIT_HEAR(k, smtp_verdicts).verdicts.p[0];
}

/* commit_head is put before each committed message. trusted: a host in relay_networks submits it;
 * local: a local program does. */
static struct slice commit_head;
static bool commit_trusted, commit_local;

__attribute__((unused)) static enum commit_outcome
commit_orcpt(struct kit *k, uint64_t tag, const char *from, const char *to, struct slice tail,
             uint8_t notify, uint8_t ret, const char *orcpt, const char *envid) {
  struct buf list, authors;
  kit_rcpts_with(&list, to, notify, orcpt);
  buf_init(&authors, SMTP_AUTHORS_MAX);
  if (*from) ipc_list_put(&authors, slice_str(from));
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, tag,
                      .envelope = { .return_path = slice_str(from),
                                    .envid = slice_str(envid),
                                    .ret = ret,
                                    .rcpts = buf_slice(&list) },
                      .end = { .id = SLICE("Q1"), .head = commit_head, .tail = tail },
                      .authors = buf_slice(&authors), .trusted = commit_trusted,
                      .local = commit_local));
  buf_free(&authors);
  buf_free(&list);
  return KIT_HEAR(k, smtp_committed).outcome;
}

__attribute__((unused)) static enum commit_outcome commit_dsn(struct kit *k, uint64_t tag,
                                                              const char *from, const char *to,
                                                              struct slice tail, uint8_t notify,
                                                              uint8_t ret) {
  return commit_orcpt(k, tag, from, to, tail, notify, ret, "", "");
}

__attribute__((unused)) static enum commit_outcome commit(struct kit *k, const char *to) {
  return commit_dsn(k, SESSION, "alice@example.org", to, SLICE("Subject: hello\r\n\r\nhi\r\n"), 0,
                    0);
}

__attribute__((unused)) static void ready(struct kit *k, uint32_t sender, uint32_t letters) {
  assert_true(KIT_SAY(k, ROLE_SENDER, sender, send_ready, 0, letters));
}

/* The next letter, of which rows[] are the recipients. */
struct got {
  struct send_letter m;
  uint64_t tag, rows[8];
  char to[8][64];
  size_t count;
};

__attribute__((unused)) static struct got letter(struct kit *k) {
  struct got g = { 0 };
  struct said *x = kit_next(k, send_letter_type);
  struct envelope_rcpt r;
  g.tag = x->tag;
  assert_true(send_letter_get(x->payload, &g.m));
  for (struct slice list = g.m.envelope.rcpts; envelope_rcpt_next(&list, &r); g.count++) {
    g.rows[g.count] = r.row;
    snprintf(g.to[g.count], sizeof g.to[0], "%.*s", SLICE_ARG(r.address));
  }
  return g;
}

__attribute__((unused)) static void nothing(struct kit *k) {
  kit_pump(k);
  assert_null(k->said);
}

__attribute__((unused)) static bool report(struct kit *k, uint32_t sender, const struct got *g,
                                           enum send_fate fate, uint16_t code, const char *text) {
  struct buf list;
  buf_init(&list, SEND_ROWS_MAX);
  for (size_t i = 0; i < g->count; i++)
    send_outcome_put(&list, &(struct send_outcome){ .row = g->rows[i],
                                                    .fate = (uint8_t)fate,
                                                    .stage = SMTP_STAGE_RCPT,
                                                    .code = code,
                                                    .enhanced = { (uint8_t)(code / 100), 1, 1 },
                                                    .text = slice_str(text) });
  bool fine = KIT_SAY(k, ROLE_SENDER, sender, send_result, g->tag,
                      .host = SLICE("mx.elsewhere.example"), .results = buf_slice(&list));
  buf_free(&list);
  kit_pump(k);
  return fine;
}

__attribute__((unused)) static size_t waiting(struct kit *k) {
  return kit_command(k, "queue list").count;
}
__attribute__((unused)) static size_t mails(struct kit *k, const char *who) {
  char words[64];
  snprintf(words, sizeof words, "mail list %s", who);
  return kit_command(k, words).count;
}

#endif
