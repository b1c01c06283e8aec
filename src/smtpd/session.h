/* SPDX-License-Identifier: ISC */
/* The SMTP server's session machine, which smtpd, the fuzzers and the simulated world run.
 *
 * RFC 5321, with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), ENHANCEDSTATUSCODES (2034),
 * STARTTLS (3207), AUTH (4954), DSN (3461) and SMTPUTF8 (6531). It implements four services:
 *
 *   smtp          mail from other servers; no logins
 *   submission    users' mail (RFC 6409): nothing without a login, STARTTLS
 *   submissions   the same, with TLS from the first octet (RFC 8314)
 *   local         local programs, over a Unix socket that identifies their user
 *
 * Mail for other domains is accepted from clients that have logged in, from relay_networks and from
 * local programs; store decides. */
#ifndef QASID_SMTPD_SESSION_H
#define QASID_SMTPD_SESSION_H

#include "conf/conf.h"
#include "mail/surrogate_field.h"
#include "runtime/proto/proto.h"
#include "mail/sasl/sasl.h"

/* What all sessions of one listener share; read-only while they live. Made from the configuration,
 * of which it borrows parts. */
struct smtpd_service {
  const char *name; /* as in smtpd_service_init() */
  char hostname[256];
  bool submission; /* for users: login required, AUTH offered */
  bool local;      /* for local programs */
  bool has_certificate;
  bool plaintext_auth, require_tls_login;
  struct conf_list plaintext_networks; /* the configuration's */
  struct conf_list lenient_networks;   /* likewise */
  char address_domain[256];            /* for an address without one, from those networks */
  sasl_set mechanisms;                 /* that EHLO names */
  bool tokens;                         /* access tokens are configured */
  bool fix_bare_lf;
  /* From and Sender of a login's message must be unambiguous */
  bool check_authors;
  bool add_from; /* a missing From is added */
  bool dotless;  /* a domain without a dot is complete */
  bool sends;    /* mail for other domains is accepted, from clients that may send it */
  struct conf_list relay_networks; /* the configuration's */
  enum surrogate_way surrogates;
  uint64_t message_size_limit;
  uint64_t received_limit;
  uint64_t recipients_per_message;
  uint64_t line_limit;
  uint64_t error_limit, junk_limit, unknown_limit, login_limit;
  uint64_t command_ms, data_ms, session_ms; /* time-outs */
  uint64_t data_rate;                       /* minimum octets a second; 0: none */
};

/* `service` is "smtp", "submission", "submissions" or "local". conf->hostname should have been
 * filled in if the file left it empty; "localhost" replaces an empty one. */
void smtpd_service_init(struct smtpd_service *shared, const struct conf *conf, const char *service,
                        bool has_certificate);

/* proto_ops.new's `service` is a struct smtpd_service. */
extern const struct proto_ops smtpd_session_ops;

#endif
