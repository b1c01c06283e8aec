/* SPDX-License-Identifier: ISC */
/* EXTERNAL (RFC 4422 Appendix A): the channel below has authenticated the client, by a certificate
 * in the TLS handshake; the client sends at most the identity that it wants to act as. */
#include "mail/sasl/mechanisms.h"

enum { START, ASKED, SENT };

/* extern-initial-resp = *( UTF8-char-no-nul ); empty: acts as the owner of the certificate. */
enum sasl_verdict external_server(struct sasl_server *s, bool has, struct slice response,
                                  struct buf *out) {
  if (s->at == START && !has) {
    s->at = ASKED;
    return SASL_CHALLENGE; /* an empty one */
  }
  if (!has || s->at == SENT || !sasl_safe_utf8(response)) return SASL_MALFORMED;
  s->at = SENT;
  buf_put(&s->authzid, response);
  return s->authzid.failed ? SASL_MALFORMED : SASL_CERTIFICATE;
}

enum sasl_advice external_client(struct sasl_client *c, bool has, struct slice challenge,
                                 struct buf *out) {
  struct slice authzid = c->authzid.n ? c->authzid : c->name;
  if (c->at != START || challenge.n || !sasl_safe_utf8(authzid)) return SASL_GIVE_UP;
  c->at = SENT;
  buf_put(out, authzid);
  return SASL_SEND;
}
