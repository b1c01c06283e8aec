/* SPDX-License-Identifier: ISC */
/* The trace field that records how a message was collected (RFC 5321 §4.4; §3.7.2 requires it of
 * gateways): the message's own fields are unchanged.
 *
 *   Received: from pop.example.net ([192.0.2.1])
 *   	by mx.example.org (Qasid) with POP3S
 *   	id c3-17-1 for <alice@example.org>;
 *   	Thu, 01 Jan 1970 00:00:00 +0000 */
#include "mail/date.h"
#include "src/collector/collector.h"

static bool is_ascii_atomish(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_print(s.p[i]) || memchr("<>()\\\" ", s.p[i], 7)) return false;
  return s.n > 0;
}

static void put_id(const struct run *r, struct buf *out) {
  buf_printf(out, "c%llu-%llu-%u", (unsigned long long)r->number, (unsigned long long)r->tag,
             r->fetched + 1);
}

void trace_put(const struct run *r, int64_t now_s, struct buf *out) {
  struct dial_address peer = dial_peer(r->dial);
  bool literal = dial_address_parse(r->host, 0, &(struct dial_address){ 0 });
  buf_put_str(out, "Received: from ");
  buf_printf(out, literal ? "[%s%s]" : "%s%s", literal && peer.n == 16 ? "IPv6:" : "", r->host);
  buf_put_str(out, peer.n == 16 ? " ([IPv6:" : " ([");
  dial_address_put(&peer, out);
  buf_put_str(out, "])\r\n\tby ");
  buf_put_str(out, r->collector->process->conf->hostname);
  buf_put_str(out, dial_tls_version(r->dial)[0] ? " (Qasid) with POP3S\r\n\tid "
                                                : " (Qasid) with POP3\r\n\tid ");
  put_id(r, out);
  if (is_ascii_atomish(buf_slice(&r->account))) {
    buf_put_str(out, " for <");
    buf_put(out, buf_slice(&r->account));
    buf_put_u8(out, '>');
  }
  buf_put_str(out, ";\r\n\t");
  date_put(out, now_s, 0);
  buf_put_str(out, "\r\n");
}
