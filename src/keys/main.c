/* The room around the private keys: it answers front-ends, one question at a time, and does nothing else. */
#include "lib/base/sys.h"
#include "lib/room/room.h"
#include "lib/tls/key.h"
#include "src/keys/keys.h"
#include "src/roles.h"

#include <unistd.h>

static bool start(struct room *r, struct buf *err) {
  (void)r, (void)err;
  return true;
}

static void certificate(struct room *r, uint16_t index, bool last, struct slice pem) {
  struct buf err;
  buf_init(&err, 1024);
  bool ok = keys_add(r->arg, index, last, pem, &err);
  if (!ok && !r->running)
    room_fail(r, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (!ok && buf_len(&err))
    log_say(&r->log, LOG_ERROR_, "reload", "%.*s; the keys in use stay", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
}

static bool message(struct room *r, enum room_kind kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  (void)state;
  struct buf answer;
  buf_init(&answer, 8192);
  bool ok = keys_message(r->arg, number, msg, loop_now(r->loop), &answer);
  if (ok) room_send(r, kind, number, key_signed_type, msg->tag, buf_slice(&answer), -1);
  buf_free(&answer);
  return ok;
}

static void peer_lost(struct room *r, enum room_kind kind, uint32_t number) {
  (void)kind;
  keys_front_lost(r->arg, number);
}

static const struct room_ops ops = {
  .kind = ROOM_KEYS,
  .start = start,
  .message = message,
  .peer_lost = peer_lost,
  .certificate = certificate,
};

int keys_main(int argc, char **argv) {
  (void)argc, (void)argv;
  struct log log = { .fd = STDERR_FILENO, .least = LOG_INFO_, .role = "keys" };
  if (!tls_key_memory())
    log_say(&log, LOG_WARN_, "memory",
            "the memory of the private keys is not locked and may be swapped out; raise RLIMIT_MEMLOCK");
  struct keys *keys = keys_new();
  int code = keys ? room_run(&ops, keys) : 71;
  keys_free(&keys);
  return code;
}
