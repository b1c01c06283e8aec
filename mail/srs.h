/* SPDX-License-Identifier: ISC */
/* The sender rewriting scheme: a reverse-path of a domain of ours for forwarded mail, which leads
 * back to the original one. Without it the next server checks the original sender's SPF record (RFC
 * 7208) against this machine.
 *
 *   alice@example.net, forwarded by example.org         SRS0=HASH=TT=example.net=alice@example.org
 *   SRS0=…@example.org, forwarded once more by ours     SRS1=HASH=example.org==…@ours
 *
 * TT is the day, in base 32, modulo 1024; HASH is computed over the rest with the secret, so that
 * no one else can make such an address: mail to it is sent to the address inside. The forms and the
 * digest are those of libsrs2 and postsrsd, with a longer hash. */
#ifndef QASID_MAIL_SRS_H
#define QASID_MAIL_SRS_H

#include <stdint.h>

#include "lib/base/buf.h"

enum {
  SRS_SECRET = 32,   /* octets */
  SRS_HASH = 8,      /* digits of base 64: 48 bits, a little less as their case is ignored */
  SRS_DAYS_MAX = 21, /* days that a path stays valid */
};

/* `path` ("" is left unchanged) as `domain` forwards it. False, with nothing put: not an address,
 * the result would be longer than `most`, or no memory. */
bool srs_forward(struct buf *out, struct slice secret, struct slice path, struct slice domain,
                 int64_t now_s, size_t most);
/* True if it has the form of an SRS address, in any case. */
bool srs_is(struct slice address);
/* The address that the local part of `address` stands for. False, with nothing put: it was not made
 * with that secret, or too long ago. */
bool srs_back(struct buf *out, struct slice secret, struct slice address, int64_t now_s);

#endif
