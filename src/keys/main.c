/* SPDX-License-Identifier: ISC */
/* The role that holds private keys: it answers front-ends and the sender, one question at a time,
 * and generates DKIM keys at the command line's request. It has one folder, for these, and does
 * nothing else. */
#include "lib/base/sys.h"
#include "runtime/role/process.h"
#include "lib/tls/key.h"
#include "src/keys/admin.h"
#include "src/keys/keys.h"
#include "src/roles.h"

#include <string.h>
#include <unistd.h>

struct keys_role {
  struct keys *tls;
  struct disk *disk;
  struct mail_keys *mail; /* NULL: the folder cannot be opened; TLS works without it */
};

static bool start(struct process *r, struct buf *err) {
  struct keys_role *k = r->arg;
  int error = 0;
  size_t unreadable = 0;
  k->disk = disk_posix_open(r->folder, &error);
  if (k->disk) k->mail = mail_keys_new(k->disk);
  if (k->mail) mail_keys_count(k->mail, &unreadable);
  if (!k->mail)
    log_print(&r->log, LOG_E_DKIM_KEYS, "the folder of the keys for mail cannot be opened: %s",
              strerror(error));
  else if (unreadable)
    log_print(&r->log, LOG_E_DKIM_KEYS,
              "the keys of %zu domains cannot be read; qasid dkim list says more", unreadable);
  return true;
}

static void certificate(struct process *r, uint16_t index, bool last, struct slice pem) {
  struct keys_role *k = r->arg;
  struct buf err;
  buf_init(&err, 1024);
  bool ok = keys_add(k->tls, index, last, pem, &err);
  if (!ok && !r->running)
    process_fail(r, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (!ok && buf_len(&err))
    process_refused(r, LOG_E_RELOAD_REFUSED, "%.*s; the keys in use stay",
                    SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
}

static bool front_message(struct process *r, enum role kind, uint32_t number,
                          const struct ipc_msg *msg) {
  struct keys_role *k = r->arg;
  struct buf answer;
  buf_init(&answer, 8192);
  bool ok = keys_message(k->tls, number, msg, loop_now(r->loop), &answer);
  if (ok) process_send(r, kind, number, key_signed_type, msg->tag, buf_slice(&answer), -1);
  buf_free(&answer);
  return ok;
}

static bool sender_message(struct process *r, uint32_t number, const struct ipc_msg *msg) {
  struct keys_role *k = r->arg;
  struct dkim_sign q;
  struct buf fields, answer;
  if (msg->type != dkim_sign_type || !dkim_sign_get(msg->payload, &q)) return false;
  if (q.body_hash.n != DKIM_HASH || !dkim_names_ok(q.names)) return false;
  buf_init(&fields, SIGN_FIELDS_MAX);
  buf_init(&answer, SIGN_FIELDS_MAX + 64);
  enum sign_outcome outcome = !k->mail ? SIGN_UNREADABLE
                              : !keys_mail_turn(k->tls, loop_now(r->loop))
                                  ? SIGN_BUSY
                                  : mail_keys_sign(k->mail, &q, sys_wall_s(), &fields);
  struct slice done = outcome == SIGN_DONE ? buf_slice(&fields) : SLICE_NONE;
  dkim_signed_put(&answer, &(struct dkim_signed){ (uint8_t)outcome, done });
  process_send(r, ROLE_SENDER, number, dkim_signed_type, msg->tag, buf_slice(&answer), -1);
  buf_free(&fields);
  buf_free(&answer);
  return true;
}

static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  (void)state;
  struct keys_role *k = r->arg;
  if (kind == ROLE_SENDER) return sender_message(r, number, msg);
  if (kind == ROLE_CLI) return keys_admin(r, k->mail, number, msg);
  return front_message(r, kind, number, msg);
}

static void peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct keys_role *k = r->arg;
  if (kind != ROLE_SENDER && kind != ROLE_CLI) keys_front_lost(k->tls, number);
}

static const struct role_ops ops = {
  .kind = ROLE_KEYS,
  .start = start,
  .message = message,
  .peer_lost = peer_lost,
  .certificate = certificate,
};

int keys_main(int argc, char **argv) {
  (void)argc, (void)argv;
  struct log log = { .fd = STDERR_FILENO, .least = LOG_INFO_ };
  if (!tls_key_memory())
    log_print(&log, LOG_E_MEMORY,
              "the memory of the private keys is not locked and may be swapped out; raise "
              "RLIMIT_MEMLOCK");
  struct keys_role k = { .tls = keys_new() };
  int code = k.tls ? process_run(&ops, &k) : 71;
  mail_keys_free(&k.mail);
  if (k.disk) disk_posix_close(&k.disk);
  keys_free(&k.tls);
  return code;
}
