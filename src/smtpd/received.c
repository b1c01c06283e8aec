/* SPDX-License-Identifier: ISC */
/* The trace field that this server prepends to a message: RFC 5321 §4.4, RFC 3848.
 *
 *   Received: from client.example ([192.0.2.1])
 *   	by mx.example.org (Qasid) with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)
 *   	id 66a1b2-3-1-1 for <alice@example.org>;
 *   	Thu, 01 Jan 1970 00:00:00 +0000
 *
 * "for" is there only if there is one recipient, so that no recipient learns of another (§7.2), and
 * if it is ASCII: otherwise a message forwarded to an ASCII address would need SMTPUTF8 just for
 * this field. The login's name is never included. The client's own name is copied only as far as
 * the grammar allows it (attack IN-1). */
#include "src/smtpd/private.h"

#include "mail/date.h"

void smtpd_put_id(const struct smtpd_session *s, struct buf *out) {
  buf_put_str(out, s->name);
  buf_put_u8(out, '-');
  buf_put_dec(out, s->messages + 1);
}

/* Not every octet is allowed in a comment (RFC 5322 §3.2.2): an octet that could end it, or is not
 * plain, becomes "?". */
static void put_in_comment(struct buf *out, struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    uint8_t c = s.p[i];
    buf_put_u8(out, !ascii_is_print(c) || c == '(' || c == ')' || c == '\\' ? '?' : c);
  }
}

/* From-domain: the name if it is valid, otherwise the address. TCP-info cannot hold other text that
 * the client sent: that follows in a comment of its own. */
static void put_from(const struct smtpd_session *s, struct buf *out) {
  struct slice helo = buf_slice(&s->helo);
  bool good = address_is_domain(helo) || address_is_literal(helo);
  if (good)
    buf_put(out, helo);
  else
    address_put_literal(out, s->peer, s->peer_len);
  buf_put_str(out, " (");
  address_put_literal(out, s->peer, s->peer_len);
  buf_put_u8(out, ')');
  if (good) return;
  buf_put_str(out, " (said ");
  put_in_comment(out, helo);
  buf_put_u8(out, ')');
}

/* RFC 3848: S for TLS, A for a login; they exist for ESMTP only. RFC 6531 §4.3: UTF8SMTP for a
 * transaction with SMTPUTF8. */
static void put_with(const struct smtpd_session *s, struct buf *out) {
  if (!s->esmtp) {
    buf_put_str(out, "SMTP");
    return;
  }
  buf_put_str(out, s->transaction->utf8 ? "UTF8SMTP" : "ESMTP");
  if (s->secure) buf_put_u8(out, 'S');
  if (s->logged_in) buf_put_u8(out, 'A');
}

static void put_for(const struct smtpd_session *s, struct buf *out) {
  struct slice list = buf_slice(&s->transaction->rcpts);
  struct envelope_rcpt only;
  if (s->transaction->rcpt_count != 1 || !envelope_rcpt_next(&list, &only) ||
      slice_has_high(only.address))
    return;
  buf_put_str(out, " for <");
  address_put_quoted(out, only.address);
  buf_put_u8(out, '>');
}

void smtpd_put_received(const struct smtpd_session *s, struct slice id, struct buf *out) {
  buf_put_str(out, "Received: from ");
  put_from(s, out);
  buf_put_str(out, "\r\n\tby ");
  buf_put_str(out, s->service->hostname);
  if (s->service->local)
    buf_printf(out, " (Qasid, by uid %u) with ", s->uid);
  else
    buf_put_str(out, " (Qasid) with ");
  put_with(s, out);
  if (s->secure) {
    buf_put_str(out, " (");
    put_in_comment(out, slice_str(s->tls));
    buf_put_u8(out, ')');
  }
  buf_put_str(out, "\r\n\tid ");
  buf_put(out, id);
  put_for(s, out);
  buf_put_str(out, ";\r\n\t");
  date_put(out, s->proto.wall_s, 0);
  buf_put_str(out, "\r\n");
}
