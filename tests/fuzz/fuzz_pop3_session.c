/* SPDX-License-Identifier: ISC */
/* A whole POP3 session: the first octets choose how the processes behave and how the input is cut,
 * the rest is what the client sends. */
#include "tests/unit/pop3_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(struct pop3_world *w, const uint8_t *choice) {
  world_init(w);
  w->start.secure = choice[0] & 1;
  w->conf.plaintext_auth = choice[0] & 2;
  w->conf.pop3_last = choice[0] & 4;
  w->conf.pop3_error_limit = 1000;
  w->refuse_all = choice[0] & 8;
  w->fail_why = choice[0] >> 4;
  w->open_outcome = choice[1] & 7;
  w->quit_outcome = choice[1] >> 3 & 7;
  w->read_outcome = choice[1] >> 6;
  w->fail_at = choice[2] & 0x80 ? choice[2] & 0x7f : UINT64_MAX;
  w->short_reads = choice[3] >> 4;
  world_message(w, SLICE("A: b\r\n\r\n.\r\n..\r\nx\0y\r\n"));
  world_message(w, SLICE("A: b\r\nno end"));
  world_message(w, SLICE("Subject: \xc3\xa9\r\n\r\n.\r\n"));
  w->messages[2].differs = true;
  w->messages[2].surrogate = choice[2] == 2 ? 0
                             : choice[2] == 3
                                 ? 40
                                 : sizeof "Subject: =?UTF-8?Q?=C3=A9?=\r\n\r\n.\r\n" - 1;
  w->messages[0].uidl = "QhdPYR:00WBw1Ph7x7";
  w->messages[1].announced += 4;
  w->virtual_count = choice[2] == 1 ? 5000 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct pop3_world w;
  if (size < 4) return 0;
  set_up(&w, data);
  world_start(&w);
  struct slice in = slice_of(data + 4, size - 4);
  size_t step = (data[3] & 15) ? data[3] & 15 : size;
  for (; in.n > 0 && !w.closed; in = slice_from(in, step)) world_send(&w, slice_first(in, step));
  if (!w.closed) {
    pop3d_session_ops.gone(w.p, CLOSE_PEER_GONE);
    world_run(&w);
  }
  if (!w.closed || w.locked || w.out_peak > PROTO_OUT_HIGH + 2 * IPC_CHUNK) abort();
  world_free(&w);
  return 0;
}
