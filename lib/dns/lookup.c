/* SPDX-License-Identifier: ISC */
/* A blocking lookup for the command line: one question on a loop of its own, which ends with the
 * answer or the time-out. */
#include "lib/dns/dns.h"

struct lookup {
  struct loop *loop;
  struct dns_answer *to;
};

static void answered(void *arg, const struct dns_answer *answer) {
  struct lookup *l = arg;
  *l->to = *answer;
  loop_stop(l->loop);
}

bool dns_lookup(const struct dns_settings *settings, struct slice name, enum dns_kind kind,
                struct dns_answer *ret, struct buf *err) {
  struct lookup l = { loop_new(), ret };
  struct dns *d = l.loop ? dns_new(l.loop, settings, err) : NULL;
  bool asked = d && dns_ask(d, name, kind, answered, &l);
  if (asked)
    loop_run(l.loop);
  else if (!buf_len(err))
    buf_put_str(err, "no memory");
  dns_free(&d);
  loop_free(&l.loop);
  return asked;
}
