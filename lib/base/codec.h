/* SPDX-License-Identifier: ISC */
/* Base64 (RFC 4648 §4) and hexadecimal. */
#ifndef QASID_BASE_CODEC_H
#define QASID_BASE_CODEC_H

#include "lib/base/buf.h"

void base64_put(struct buf *out, struct slice s);
/* Strict: whole groups of four, padding only at the end, unused bits zero. False for anything
 * else; then what `out` holds is undefined. */
bool base64_decode(struct buf *out, struct slice s);
/* The alphabet of RFC 4648 §5, without padding, as in JSON Web Tokens (RFC 7515 §2). As strict. */
bool base64url_decode(struct buf *out, struct slice s);
void hex_put(struct buf *out, struct slice s);
/* The same into 2 * s.n + 1 octets at `to`, with a NUL behind. */
void hex_text(char *to, struct slice s);
/* One octet in upper case, as in quoted-printable and percent-encoding. */
void hex_put_upper(struct buf *out, uint8_t octet);
/* The value of a digit as hex_put() writes it; -1 for any other character. */
int hex_digit(int c);

#endif
