/* SMTP in: the session machine that smtpd, the fuzzers and the simulated world run.
 *
 * RFC 5321, with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), ENHANCEDSTATUSCODES (2034),
 * STARTTLS (3207) and AUTH (4954). It speaks for three services:
 *
 *   smtp          mail from other servers; nobody logs in
 *   submission    users' mail (RFC 6409): nothing without a login, STARTTLS
 *   submissions   the same, with TLS from the first octet (RFC 8314)
 *
 * No service relays: whatever store does not call its own is refused. */
#ifndef QASID_SMTPD_SESSION_H
#define QASID_SMTPD_SESSION_H

#include "conf/conf.h"
#include "lib/proto/proto.h"
#include "lib/sasl/sasl.h"

/* What all sessions of one listener share; read-only while they live. Made from the configuration,
 * holds nothing of it. */
struct smtpd_service {
  char hostname[256];
  bool submission; /* users send here: login wanted, AUTH offered */
  bool has_certificate;
  bool plaintext_auth;
  struct conf_list plaintext_networks; /* the configuration's */
  sasl_set mechanisms; /* that EHLO names */
  bool tokens;         /* somebody's access tokens are taken */
  bool fix_bare_lf;
  uint64_t message_size_limit;
  uint64_t received_limit;
  uint64_t recipients_per_message;
  uint64_t line_limit;
  uint64_t error_limit, junk_limit, unknown_limit, login_limit;
  uint64_t command_ms, data_ms, session_ms; /* time-outs */
  uint64_t data_rate;                       /* octets a second; 0: any */
};

/* `service` is "smtp", "submission" or "submissions". conf->hostname should have been filled in when
 * the file left it empty; "localhost" stands for an empty one. */
void smtpd_service_init(struct smtpd_service *svc, const struct conf *conf, const char *service,
                        bool has_certificate);

/* proto_ops.new's `service` is a struct smtpd_service. */
extern const struct proto_ops smtpd_session_ops;

#endif
