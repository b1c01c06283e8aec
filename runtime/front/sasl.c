/* SPDX-License-Identifier: ISC */
/* SASL in a front-end (sasl.h). Invariant: nothing here keeps or logs what the client sent. */
#include "runtime/front/sasl.h"

#include "lib/base/codec.h"

struct sasl_channel front_sasl_channel(const struct proto *p, bool secure, bool may_show,
                                       bool tokens) {
  return (struct sasl_channel){
    .may_show = may_show,
    .binds = secure && p->channel.bindings,
    .tokens = secure && tokens,
    .certificate = secure && p->channel.certificate,
  };
}

bool front_sasl_decode(struct buf *out, struct slice text) {
  buf_init(out, AUTH_SASL_MAX);
  return base64_decode(out, text);
}

void front_sasl_start(struct buf *question, const struct proto *p, struct auth_start q) {
  const struct proto_bindings b = proto_bindings(p);
  q.exporter = slice_of(b.exporter, b.exporter_n);
  q.end_point = slice_of(b.end_point, b.end_point_n);
  q.certificate = slice_of(b.certificate, b.certificate_n);
  auth_start_put(question, &q);
}
