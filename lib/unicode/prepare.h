/* SPDX-License-Identifier: ISC */
/* Preparation of names and passwords for comparison by meaning, not by how they were typed: "ü" is
 * one character or "u" followed by a diaeresis, depending on the keyboard and the system (RFC 8264,
 * 8265; RFC 4013 for SCRAM). Everything that looks up a name or compares a password uses these
 * functions. The tables are libunistring's, which is used in this folder only; pure computation, no
 * file, no locale.
 *
 * Plain ASCII costs nothing: names come out in lower case, passwords unchanged. */
#ifndef QASID_UNICODE_PREPARE_H
#define QASID_UNICODE_PREPARE_H

#include "lib/base/buf.h"

enum { PREPARE_MAX = 2048 /* octets, in and out */ };

bool prepare_is_ascii(struct slice s);

/* The mapping of RFC 8265 §3.3.3 (UsernameCaseMapped): wide and narrow forms to the usual ones,
 * lower case, NFC, until nothing changes any more (RFC 8264 §7). No character is refused: existing
 * addresses of any origin are looked up too. In text that is not UTF-8 only ASCII letters are
 * mapped to lower case. False: it does not fit into `out`. */
bool prepare_name(struct slice name, struct buf *out);

/* Whether a new name may have this local part (RFC 8265 §3.3.2): after the width mapping only
 * characters of the IdentifierClass (RFC 8264 §4.2), and the Bidi Rule (RFC 5893 §2). NULL: it may;
 * else the reason, in words; *ret_point: the character. */
const char *prepare_name_refused(struct slice local, uint32_t *ret_point);

/* RFC 8265 §4.2 (OpaqueString): spaces beyond ASCII become SP, NFC. False, with `out` unchanged: it
 * has a character that such a password must not have (RFC 8264 §4.3: control, unassigned or
 * invisible characters), or does not fit. */
bool prepare_password(struct slice password, struct buf *out);

/* SASLprep (RFC 4013), by which RFC 5802 §2.2 prepares SCRAM's names and passwords: NFKC. False as
 * above. */
bool prepare_sasl(struct slice s, struct buf *out);

#endif
