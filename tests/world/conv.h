/* SPDX-License-Identifier: ISC */
/* The language of conversations: a test that reads like the RFC it speaks for.
 *
 *   spec: RFC 5321 4.1.4          first line: what it is about
 *   attack: SM-1 SM-2             ids of the catalogue of attacks, when it is one
 *   # remark
 *
 * Setting the scene (before the first connection):
 *   option NAME VALUE             a line of the configuration; a file in it, such as
 *                 "/issuer.jwks", is in tests/conv
 *   account NAME PASSWORD [legacy]     the domain is made with it; legacy: APOP and CRAM-MD5 work;
 *                 a password with spaces stands in double quotes
 *   alias NAME TARGET…
 *   message NAME [uidl=UIDL]      a message that is already there; its lines follow as `| line`
 *
 * The conversation. A line may begin with the name of a connection ("bob C: STAT"); without one it
 * is the first, nameless connection:
 *   connect SERVICE [from A.B.C.D]     smtp submission submissions pop3 pop3s
 *   C: text      the client sends text and CRLF          C(20): text     twenty times
 *   C- text      sends text as it is, with \r \n \0 \t \\ and \xNN
 *   S: text      the server's next line is this          S(20): text     so are the next twenty
 *   S*: text     the whole reply that ends so: SMTP's "250-…" lines up to "250 …", or POP3's
 *                "+OK" line and what follows it up to "."
 *   has TEXT     some line of that reply is this         hasnt TEXT      none is
 *   secure [with FILE]            the TLS handshake that STARTTLS or STLS promised; the
 *                 client shows the certificate of that file of tests/conv
 *   drop [unread]                 the client closes; without having read what the server said
 *   pause, resume                 it stops reading, goes on
 *   expect closed WORD[|WORD]     the server closes, for one of these reasons, having said no more
 *   expect open                   it does not
 *   expect mailbox NAME N         N messages are in it
 *   expect mail NAME N TEXT       its Nth message has such a line
 *   expect nomail NAME TEXT       no message of it has such a line
 *   log PATTERN, nolog PATTERN    such a line was logged since the beginning; none was
 *   qasid WORDS…                  a command of the administrator's that is answered with success
 *                 (by auth: account certificate, legacy, enable, disable; else by store); `has`
 *                 and `hasnt` then look at its rows, values with spaces between
 *   clock +5m                     time passes (s, m, h, d)
 *   kill ROLE                     kill -9 of store, auth, smtpd, pop3d; it is started again
 *   restart                       the machine loses its power and comes back
 *   disk full                     512 KB are left: less than the store keeps for reading and
 *                 deleting
 *   disk brimful | disk room      not one octet is left; there is room again
 *   disk fail-sync                the next sync answers EIO
 *
 * In what the server says, "..." stands for anything, {=NAME} for anything that is remembered as
 * NAME. In what either side says, {NAME} is that. In what the client says also {repeat N TEXT},
 * {base64 TEXT} with the escapes of C-, {apop PASSWORD}, {cram USER PASSWORD} and
 * {scram USER PASSWORD}, made from the server's greeting or last challenge; scram with SHA-256, for
 * a client whose first message was "n,,n=USER,r=" CONV_NONCE. */
#ifndef QASID_WORLD_CONV_H
#define QASID_WORLD_CONV_H

#include "lib/base/buf.h"
#include "tests/world/people.h"

enum conv_kind {
  CONV_CONNECT,
  CONV_CLIENT,
  CONV_RAW,
  CONV_SERVER,
  CONV_REPLY,
  CONV_HAS,
  CONV_HASNT,
  CONV_SECURE,
  CONV_DROP,
  CONV_PAUSE,
  CONV_RESUME,
  CONV_EXPECT,
  CONV_CLOCK,
  CONV_KILL,
  CONV_RESTART,
  CONV_DISK,
  CONV_QASID,
  CONV_LOG,
  CONV_ACCOUNT,
  CONV_ALIAS,
  CONV_MESSAGE,
  CONV_KINDS
};

struct conv_step {
  enum conv_kind kind;
  unsigned line;
  unsigned times;
  bool none; /* nolog */
  char actor[16];
  struct slice text; /* into the file's text */
  struct slice body; /* a message's lines with their `| `, likewise */
};

struct conv {
  char *name;
  struct buf file;
  struct slice spec;
  struct buf options; /* configuration lines */
  struct conv_step *steps;
  size_t count, room;
  /* Made by the first run: the scene is set once, later runs begin on a copy of its disk. */
  struct disk_sim *scene;
  struct people people;
};

/* How a conversation is run. */
struct conv_run {
  enum world_cuts cuts;
  uint64_t seed;
  uint64_t fail_alloc;    /* the allocation that fails; 0: none */
  uint64_t lose_question; /* the question whose process is lost; 0: none */
  bool lose_after;
  bool verbose;
};

/* What a run came to. Disturbed runs (allocation, question) may leave the text early; nothing else.
 */
struct conv_outcome {
  bool passed;
  uint64_t allocs, questions; /* how many there were: where to disturb next */
  char why[512];              /* "file:line: …" when it failed */
};

/* NULL with "file:line: …" in `err`. */
struct conv *conv_load(const char *path, struct buf *err);
void conv_free(struct conv **c);
void conv_play(struct conv *c, const struct conv_run *how, struct conv_outcome *ret);

#endif
