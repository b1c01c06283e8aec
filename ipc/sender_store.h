/* SPDX-License-Identifier: ISC */
/* store hands letters to a sender; the sender reports the outcome of each recipient.
 *
 * A letter is one message for recipients at one destination. store numbers letters (the tag) and
 * never reuses a number. The sender may read the octets only of letters that it holds, and may name
 * only the rows of those letters: anything else is a breach. A compromised sender can read, and
 * mark as sent, the mail that it holds, and no other.
 *
 *   sender: send_ready, as it has room        store: send_letter … send_letter
 *   sender: send_read (what did not fit)      store: send_octets
 *   sender: send_where, when a letter waits   (no reply; for `queue list` and the history)
 *   sender: send_result                       (no reply: the letter belongs to store again)
 *   sender: send_login_refused                (the postmaster is told, once a day for each route)
 *   sender: send_no_tls, as TLS fails         store: send_known_no_tls, to a new sender
 *
 * The sender sends a result only when it awaits no octets: otherwise they would arrive for a letter
 * that it has returned.
 *
 * There may be several senders: the one that was started last, which takes letters, and those that
 * finish their sessions after a reload (each only its own letters). A sender that sends send_ready
 * is the one that takes letters from then on; a send_ready from one with a smaller number is out of
 * date and is ignored.
 *
 * When a sender is lost, its letters wait in the queue again at once. send_recall asks for the
 * return of a letter that took too long; the sender then stops working on it and reports as
 * usual. */
#ifndef QASID_IPC_SENDER_STORE_H
#define QASID_IPC_SENDER_STORE_H

#include "ipc/envelope.h"

/* A letter, as both see it. */
enum { SEND_NOT_GIVEN, SEND_GIVEN, SEND_READING };

enum {
  SEND_DESTINATION_MAX = 255,
  SEND_RCPTS_MAX = 100,      /* recipients of one letter (RFC 5321 §4.5.3.1.8) */
  SEND_ROWS_MAX = 60 * 1024, /* octets of a letter's recipients, and of a list of results */
  SEND_TEXT_MAX = 512,       /* octets of a reply that are kept */
  SEND_HOST_MAX = 320,
  SEND_CREDIT_MAX = 20000,
  SEND_NO_TLS_MAX = 1000,        /* addresses whose TLS is remembered as broken, */
  SEND_NO_TLS_S = 3 * 24 * 3600, /* and for how long */
  SEND_NO_TLS_WHY_MAX = 160,
};

/* clang-format off */
/* letters: how many the sender can take in addition to those announced before. */
#define send_ready_FIELDS(F) F(u32, letters, )
/* id: the queue id for logs. account, sender: select routes: the account that submitted the
 * message, the domain of its sender; empty: neither applies. The envelope has at most
 * SEND_RCPTS_MAX recipients, each with its row, and the size of the whole message in wire form.
 * octets: its beginning. signer: the local domain that is to sign it (DKIM); empty: none. doubts:
 * the number of earlier attempts whose reply to the end of data left it in doubt whether the server
 * took the message; if not 0, another server is to be tried. */
#define send_letter_FIELDS(F) \
  F(bytes, id, QUEUE_ID_MAX) F(bytes, destination, SEND_DESTINATION_MAX) \
    F(bytes, account, ENVELOPE_PATH_MAX) F(bytes, sender, SEND_DESTINATION_MAX) \
    F(envelope, envelope, ) \
  F(u8, doubts, ) F(bytes, signer, SEND_DESTINATION_MAX) F(bytes, octets, IPC_CHUNK - 1024)
/* offset: from the message's first octet. */
#define send_read_FIELDS(F) F(u64, offset, )
/* Empty: the message cannot be read. */
#define send_octets_FIELDS(F) F(bytes, octets, IPC_CHUNK)
/* results: a list of struct send_outcome, one for each recipient of the letter. host, address, tls:
 * of the server that decided last; empty if none did. unreachable: no session with any server of
 * the destination was possible, so its other letters need not be tried now. */
#define send_result_FIELDS(F) \
  F(bytes, host, SEND_HOST_MAX) F(bytes, address, 64) F(bytes, tls, 64) F(flag, unreachable, ) \
  F(list, results, SEND_ROWS_MAX)
#define send_recall_FIELDS(F)
/* where: enum send_place. session: the number of the sender's connection, with SEND_IN_SESSION.
 * Sent for letters that have been at the same place for a second or more. */
#define send_where_FIELDS(F) F(u8, where, ) F(u64, session, )
/* TLS with that address failed: for so many seconds from now, mail goes there in the clear.
 * destination: the one being delivered to. why: in words. */
#define SEND_NO_TLS_FIELDS(F) \
  F(bytes, address, 16) F(u16, port, ) F(bytes, destination, SEND_DESTINATION_MAX) \
  F(bytes, why, SEND_NO_TLS_WHY_MAX) F(u32, seconds, )
#define send_no_tls_FIELDS(F) SEND_NO_TLS_FIELDS(F)
/* The server of a route ("[host]:port") refuses our login: its reply, or our own description. */
#define send_login_refused_FIELDS(F) \
  F(bytes, route, SEND_DESTINATION_MAX) F(bytes, user, 255) F(bytes, words, SEND_TEXT_MAX)
#define send_known_no_tls_FIELDS(F) SEND_NO_TLS_FIELDS(F)

#define SENDER_STORE_MESSAGES(M) \
  /* type name from allowed in next max fds kind */ \
  M(1, send_ready, IPC_LEFT, 1 << SEND_NOT_GIVEN, IPC_SAME, 8, 0, IPC_SEND) \
  M(2, send_read, IPC_LEFT, 1 << SEND_GIVEN, SEND_READING, 16, 0, IPC_ASK) \
  M(3, send_result, IPC_LEFT, 1 << SEND_GIVEN, SEND_NOT_GIVEN, 64 * 1024, 0, IPC_SEND) \
  M(4, send_where, IPC_LEFT, 1 << SEND_GIVEN | 1 << SEND_READING, IPC_SAME, 16, 0, IPC_SEND) \
  M(5, send_no_tls, IPC_LEFT, 1 << SEND_NOT_GIVEN, IPC_SAME, 512, 0, IPC_SEND) \
  M(6, send_login_refused, IPC_LEFT, 1 << SEND_NOT_GIVEN, IPC_SAME, 1100, 0, IPC_SEND) \
  M(64, send_letter, IPC_RIGHT, 1 << SEND_NOT_GIVEN, SEND_GIVEN, IPC_PAYLOAD_MAX, 0, IPC_SEND) \
  M(65, send_octets, IPC_RIGHT, 1 << SEND_READING, SEND_GIVEN, 66 * 1024, 0, IPC_TO(2)) \
  M(66, send_recall, IPC_RIGHT, IPC_ANY, IPC_SAME, 0, 0, IPC_NOTIFY) \
  M(67, send_known_no_tls, IPC_RIGHT, 1 << SEND_NOT_GIVEN, IPC_SAME, 512, 0, IPC_SEND)

SENDER_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_sender_store;

enum send_place {
  SEND_HANDED_OVER,
  SEND_WAITS_FOR_DNS,
  SEND_WAITS_FOR_CONNECTION,
  SEND_IN_SESSION,
  SEND_AT_END_OF_DATA, /* in session, waiting for the reply to the end of data */
  SEND_WHERES
};

/* --- items of the results --- */

/* "connect", "rcpt", …: an enum smtp_stage (mail/smtp/client.h) in logs and histories. */
const char *send_stage_word(uint8_t stage);

/* SEND_UNTRIED: nothing was decided and nothing was sent: it is due at once, and no attempt is
 * counted. SEND_CUT: likewise, but an attempt was interrupted, which is recorded in the history. */
enum send_fate {
  SEND_DELIVERED,
  SEND_TEMPORARY,
  SEND_PERMANENT,
  SEND_UNTRIED,
  SEND_CUT,
  SEND_FATES
};
struct send_outcome {
  uint64_t row;
  uint8_t fate;        /* enum send_fate */
  uint8_t stage;       /* enum smtp_stage */
  uint16_t code;       /* 0: no reply decided it */
  uint8_t enhanced[3]; /* class 0: none */
  bool dsn;            /* the next server takes over the reports that NOTIFY=SUCCESS asks for */
  struct slice text;   /* at most SEND_TEXT_MAX */
};
void send_outcome_put(struct buf *list, const struct send_outcome *o);
bool send_outcome_next(struct slice *list, struct send_outcome *ret);
/* clang-format on */

#endif
