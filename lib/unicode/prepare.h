/* SPDX-License-Identifier: ISC */
/* Names and passwords are compared as they are meant, not as they were typed: "ü" is one character
 * or "u" with a diaeresis behind it, by the keyboard and the system (RFC 8264, 8265; RFC 4013 for
 * SCRAM). Everything that looks up a name or compares a password goes through here. The tables are
 * libunistring's, which is used in this folder only; pure computation, no file, no locale.
 *
 * What is plain ASCII costs nothing, and comes out as it always did: names in lower case, passwords
 * as they are. */
#ifndef QASID_UNICODE_PREPARE_H
#define QASID_UNICODE_PREPARE_H

#include "lib/base/buf.h"

enum { PREPARE_MAX = 2048 /* octets, in and out */ };

bool prepare_is_ascii(struct slice s);

/* The mapping of RFC 8265 §3.3.3 (UsernameCaseMapped): wide and narrow forms to the usual ones,
 * lower case, NFC, until nothing changes any more (RFC 8264 §7). No character is refused: addresses
 * of other times and places are looked up too. What is no UTF-8 has its ASCII letters in lower case
 * only. False: it does not fit into `out`. */
bool prepare_name(struct slice name, struct buf *out);

/* May a new name have this local part? RFC 8265 §3.3.2: after the width mapping only characters of
 * the IdentifierClass (RFC 8264 §4.2), and the Bidi Rule (RFC 5893 §2). NULL: it may; else why not,
 * in words; *ret_point: the character. */
const char *prepare_name_refused(struct slice local, uint32_t *ret_point);

/* RFC 8265 §4.2 (OpaqueString): spaces beyond ASCII become SP, NFC. False: it has what no such
 * password may have (RFC 8264 §4.3: control characters, what is not assigned, what cannot be seen),
 * or does not fit; `out` is as it was then. */
bool prepare_password(struct slice password, struct buf *out);

/* SASLprep (RFC 4013), which RFC 5802 §2.2 has SCRAM prepare names and passwords by: NFKC. False as
 * above. */
bool prepare_sasl(struct slice s, struct buf *out);

#endif
