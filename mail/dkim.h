/* SPDX-License-Identifier: ISC */
/* Signing a message with DKIM (RFC 6376, 8301, 8463): the octets to hash and the text of the field.
 * Pure: the caller computes the digest and the signature.
 *
 *   dkim_scan     takes a message in pieces, cut anywhere: collects its header, puts out its
 *                 canonical body
 *   dkim_choose   chooses the header fields to sign: the tag h=
 *   dkim_input    those fields in canonical form
 *   dkim_open     the DKIM-Signature field up to its empty b=, and the same in canonical form
 *                 behind the input
 *   dkim_close    the signature behind b=
 *
 * The canonicalization is always relaxed/relaxed. Messages have CRLF line ends; a CR or LF that
 * stands alone is an octet like any other. */
#ifndef QASID_MAIL_DKIM_H
#define QASID_MAIL_DKIM_H

#include "lib/base/buf.h"
#include "lib/tls/key_use.h"

enum {
  DKIM_HEADER_MAX = 256 * 1024, /* octets of a header; a longer one is not signed */
  DKIM_FIELDS_MAX = 500,        /* fields of a header, likewise */
  DKIM_INPUT_MAX = 64 * 1024,   /* octets of the signed fields in canonical form, likewise */
  DKIM_NAMES_MAX = 2048,        /* octets of h=, likewise */
  DKIM_SELECTOR_MAX = 63,
  DKIM_FIELD_MAX = 8 * 1024, /* octets of one DKIM-Signature field */
  DKIM_HASH = 32,            /* SHA-256 (RFC 8301 §3.1: nothing else is used) */
};

/* "rsa", "ed25519": the tag k= of the record (RFC 6376 §3.6.1, RFC 8463 §4). */
const char *dkim_algorithm_name(enum dkim_algorithm a);

/* --- the body: RFC 6376 §3.4.4 --- */

typedef void dkim_put_fn(void *arg, struct slice octets);

struct dkim_body {
  dkim_put_fn *put;
  void *arg;
  uint64_t held;       /* line ends that are put when more text follows */
  bool space, cr, any; /* a pending space; a pending CR; something was put */
  size_t n;
  uint8_t out[1024];
};

/* --- a whole message --- */

struct dkim_scan {
  /* with the empty line, if there is one; `failed`: longer than DKIM_HEADER_MAX */
  struct buf header;
  size_t seen; /* octets of it already searched for the end of the header */
  bool in_body;
  struct dkim_body body;
};
void dkim_scan_begin(struct dkim_scan *s, dkim_put_fn *put, void *arg);
void dkim_scan_put(struct dkim_scan *s, struct slice octets);
void dkim_scan_end(struct dkim_scan *s);
void dkim_scan_free(struct dkim_scan *s);

/* --- the header --- */

enum dkim_fit {
  DKIM_FITS,
  DKIM_NO_FROM, /* there is no From field, and a signature must have one (RFC 6376 §5.4) */
  DKIM_TOO_BIG, /* one of the limits above was passed */
};

/* The value of h= for a header: each of the fields named in dkim.c as often as it occurs, and those
 * that must not be added to once more (RFC 6376 §8.15), in lower case, separated by colons. */
enum dkim_fit dkim_choose(struct slice header, struct buf *names);
/* The fields that `names` (a value of h=, blanks permitted) stands for, in canonical form: of
 * fields with one name the last comes first; missing fields are omitted (RFC 6376 §5.4.2,
 * §3.4.2). */
enum dkim_fit dkim_input(struct slice header, struct slice names, struct buf *input);
/* Checks for a value of h= as dkim_choose() makes it: field names in lower case, "from" among them,
 * no blanks. */
bool dkim_names_ok(struct slice names);

/* --- the field --- */

struct dkim_signature {
  enum dkim_algorithm algorithm;
  struct slice domain, selector, names; /* d=, s=, h= */
  uint64_t signed_s;                    /* t=, seconds since 1970 */
  uint8_t body_hash[DKIM_HASH];         /* bh= */
};
/* Puts the field up to b= into `field`, and appends its canonical form, as it is hashed, to
 * `input`. */
void dkim_open(const struct dkim_signature *s, struct buf *field, struct buf *input);
/* Puts the signature and the line's end. */
void dkim_close(struct buf *field, struct slice signature);

/* --- the record --- */

/* "v=DKIM1; k=…; p=…": `key` is the SubjectPublicKeyInfo of an RSA key, or an Ed25519 key's 32
 * octets. */
void dkim_record(enum dkim_algorithm a, struct slice key, struct buf *record);
/* A line of a zone file (RFC 1035 §5.1): `name`. TXT and the text, in strings of 255 octets at most
 * (§3.3). */
void dkim_zone_line(struct slice name, struct slice text, struct buf *line);

#endif
