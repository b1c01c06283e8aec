/* SPDX-License-Identifier: ISC */
/* The client's AUTH command, which is the same in SMTP (RFC 4954 §4) and POP3 (RFC 5034 §4). */
#include "lib/base/codec.h"
#include "mail/sasl/sasl.h"

bool sasl_offers(struct slice offered, const char *name) {
  while (offered.n)
    if (slice_caseeq(slice_split(&offered, ' '), slice_str(name))) return true;
  return false;
}

void sasl_client_bind_exporter(struct sasl_client *c, struct slice exporter, struct slice offered) {
  bool bound_offered =
      sasl_offers(offered, "SCRAM-SHA-256-PLUS") || sasl_offers(offered, "SCRAM-SHA-1-PLUS");
  if (exporter.n && (c->mech->binds || !bound_offered))
    sasl_client_bind(c, "tls-exporter", exporter);
}

bool sasl_put_auth(struct buf *line, const struct sasl_mechanism *m, struct slice response,
                   size_t line_max) {
  buf_reserve(line, response.n / 3 * 4 + 64); /* at once: it may hold a password */
  buf_printf(line, "AUTH %s", m->name);
  size_t bare = buf_len(line);
  if (m->client_first) {
    buf_put_str(line, response.n ? " " : " =");
    base64_put(line, response);
  }
  if (m->client_first && !line->failed && buf_len(line) + 2 <= line_max) return true;
  buf_truncate(line, bare);
  return false;
}
