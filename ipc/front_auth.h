/* SPDX-License-Identifier: ISC */
/* A front-end (smtpd, pop3d) asks auth to authenticate a client.
 *
 * The front-end relays the client's SASL octets (already decoded from base64) in both directions
 * and learns only whether the login succeeded. When it succeeds, auth has already granted store's
 * maildrop to the session; the front-end never passes an identity to store. The tag is the
 * session. */
#ifndef QASID_IPC_FRONT_AUTH_H
#define QASID_IPC_FRONT_AUTH_H

#include "ipc/ipc.h"

/* A session, as auth sees it. */
enum { AUTH_AT_REST, AUTH_EXCHANGE };

/* A timestamp (RFC 1939 §7) is two numbers of 20 digits and a hostname of up to 255 octets. */
enum {
  AUTH_NAME_MAX = 320,
  AUTH_PASSWORD_MAX = 1024,
  AUTH_SASL_MAX = 12288,
  AUTH_STAMP_MAX = 320,
  AUTH_SERVICE_MAX = 16
};

enum auth_failure {
  AUTH_WRONG,       /* unknown user or wrong credentials, indistinguishably: 535 5.7.8, [AUTH] */
  AUTH_MALFORMED,   /* the mechanism's grammar was broken: 501 5.5.2 */
  AUTH_UNAVAILABLE, /* no such mechanism, or not for this account: 504 5.5.4 */
  AUTH_TROUBLE,     /* try later: 454 4.7.0, [SYS/TEMP] */
  AUTH_TOO_SOON,    /* correct, but too soon after the last login: [LOGIN-DELAY]. POP3 only */
  AUTH_FAILURES
};

/* clang-format off */
/* peer: the client's address, 4 or 16 octets. secure: TLS is on. mechanism: its IANA name. service:
 * as in the log ("submission"); one that this kind of front-end has. `response` is the initial
 * response when has_response. exporter, end_point: the TLS channel bindings (RFC 9266, RFC 5929
 * §4); certificate: the SHA-256 fingerprint of the certificate that the client presented in the
 * handshake; each empty if there is none. auth relies on the front-end for these: it has no other
 * source. */
#define auth_start_FIELDS(F) \
  F(bytes, mechanism, 32) F(flag, has_response, ) F(bytes, response, AUTH_SASL_MAX) \
  F(bytes, peer, 16) F(flag, secure, ) F(bytes, exporter, 64) F(bytes, end_point, 64) \
  F(bytes, certificate, 32) F(bytes, service, AUTH_SERVICE_MAX)
#define auth_step_FIELDS(F) F(bytes, response, AUTH_SASL_MAX)
/* The client cancelled with "*", or disconnected. No reply. */
#define auth_cancel_FIELDS(F)
/* POP3's USER/PASS. */
#define auth_login_FIELDS(F) \
  F(bytes, name, AUTH_NAME_MAX) F(bytes, password, AUTH_PASSWORD_MAX) F(bytes, peer, 16) \
  F(flag, secure, ) F(bytes, service, AUTH_SERVICE_MAX)
/* POP3's APOP (RFC 1939 §7): digest is 16 octets. */
#define auth_apop_FIELDS(F) \
  F(bytes, name, AUTH_NAME_MAX) F(bytes, timestamp, AUTH_STAMP_MAX) F(bytes, digest, 16) \
  F(bytes, peer, 16) F(flag, secure, ) F(bytes, service, AUTH_SERVICE_MAX)

#define auth_challenge_FIELDS(F) F(bytes, challenge, AUTH_SASL_MAX)
/* name: the account's canonical name, for logs and Received:. */
#define auth_ok_FIELDS(F) F(bytes, name, AUTH_NAME_MAX)
/* wait_s: with AUTH_TOO_SOON, the seconds that remain. */
#define auth_fail_FIELDS(F) F(u8, why, ) F(u32, wait_s, )

/* To pop3d, without a session (tag 0), when it connects and at each change. apop: at least one
 * account could log in by APOP. */
#define auth_offers_FIELDS(F) F(flag, apop, )

#define FRONT_AUTH_MESSAGES(M) \
  /* type name         from       allowed in           next            max                fds */ \
  M(1,  auth_start,     IPC_LEFT,  1 << AUTH_AT_REST,   AUTH_EXCHANGE,  AUTH_SASL_MAX + 256, 0, \
    IPC_ASK) \
  M(2,  auth_step,      IPC_LEFT,  1 << AUTH_EXCHANGE,  IPC_SAME,       AUTH_SASL_MAX + 16,  0, \
    IPC_ASK) \
  M(3,  auth_cancel,    IPC_LEFT,  IPC_ANY,             AUTH_AT_REST,   0,                   0, \
    IPC_SEND) \
  M(4,  auth_login,     IPC_LEFT,  1 << AUTH_AT_REST,   AUTH_EXCHANGE,  2048,                0, \
    IPC_ASK) \
  M(5,  auth_apop,      IPC_LEFT,  1 << AUTH_AT_REST,   AUTH_EXCHANGE,  2048,                0, \
    IPC_ASK) \
  M(64, auth_challenge, IPC_RIGHT, IPC_ANY,             IPC_SAME,       AUTH_SASL_MAX + 16,  0, \
    IPC_TO(1) | IPC_TO(2)) \
  M(65, auth_ok,        IPC_RIGHT, IPC_ANY,             AUTH_AT_REST,   512,                 0, \
    IPC_TO(1) | IPC_TO(2) | IPC_TO(4) | IPC_TO(5)) \
  M(66, auth_fail,      IPC_RIGHT, IPC_ANY,             AUTH_AT_REST,   16,                  0, \
    IPC_TO(1) | IPC_TO(2) | IPC_TO(4) | IPC_TO(5)) \
  M(67, auth_offers,    IPC_RIGHT, IPC_ANY,             IPC_SAME,       16,                  0, \
    IPC_SEND)

FRONT_AUTH_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_front_auth;
/* clang-format on */

#endif
