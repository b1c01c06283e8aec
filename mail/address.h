/* SPDX-License-Identifier: ISC */
/* The mailboxes of an SMTP envelope: the paths of RFC 5321 §4.1.2.
 *
 *   Reverse-path = Path / "<>"
 *   Forward-path = "<Postmaster>" / Path        (also "<Postmaster@" Domain ">", an ordinary Path)
 *   Path         = "<" [ A-d-l ":" ] Mailbox ">"
 *   Mailbox      = Local-part "@" ( Domain / address-literal )
 *
 * The parsed form:
 *  - a source route (A-d-l) is read and discarded (RFC 5321 §4.1.1.3 and appendix C);
 *  - the local part loses its quoting and keeps its case; nothing in it has a meaning here: "%",
 * "!" and a quoted "@" are octets like any other;
 *  - the domain is folded to lower case, its U-labels become A-labels (RFC 6531 §3.2), and it loses
 * a trailing dot; a literal is put into its one canonical form. So equal addresses have equal
 * octets, and print(parse(x)) parses to the same again.
 *
 * More is accepted than the grammar permits, because real senders need it (RFC 5321 §4.5.3.1: no
 * limit "to the maximum extent possible"):
 *  - dots anywhere in a local part that is not quoted: "a..b@", "a.@", as carriers in Japan issued
 * them;
 *  - local parts of 254 octets where the RFC has 64: forwarders and lists make such senders;
 *  - in a reverse-path, which is never looked up here, "_" and outer hyphens in a label of the
 * domain;
 *  - with *_free(), for clients of one's own networks: no brackets, no domain.
 * Anything that breaks the framing is refused everywhere: control octets, open quotes and brackets,
 * specials that are not quoted, an empty local part or domain.
 *
 * Limits as written on the wire: local part 254 between its quotes, domain 255 and label 63 (RFC
 * 1035 §2.3.4), path 514 with its brackets. Octets beyond ASCII must be UTF-8; the caller checks
 * whether the client may use them (the parameter SMTPUTF8 of RFC 6531): `utf8` says that it did. */
#ifndef QASID_MAIL_ADDRESS_H
#define QASID_MAIL_ADDRESS_H

#include "lib/base/buf.h"

enum {
  ADDRESS_LOCAL_MAX = 254,
  ADDRESS_DOMAIN_MAX = 255,
  ADDRESS_LABEL_MAX = 63,
  ADDRESS_PATH_MAX = 514
};

enum address_kind {
  ADDRESS_NULL,       /* "<>": the null sender */
  ADDRESS_POSTMASTER, /* "<Postmaster>": the local part is "postmaster", there is no domain */
  ADDRESS_MAILBOX,    /* local@domain */
  ADDRESS_LITERAL,    /* local@[192.0.2.1], local@[IPv6:2001:db8::1]; `domain` has the brackets */
};

enum address_error {
  ADDRESS_OK,
  ADDRESS_SYNTAX,   /* 501 5.1.3 or 5.1.7 */
  ADDRESS_TOO_LONG, /* the same */
};

/* Owns its octets; copied by assignment. */
struct address {
  uint8_t kind;
  bool utf8; /* it was written with non-ASCII characters; the domain no longer contains any */
  uint8_t local_n, domain_n;
  uint8_t local[ADDRESS_LOCAL_MAX];
  uint8_t domain[ADDRESS_DOMAIN_MAX];
};

static inline struct slice address_local(const struct address *a) {
  return slice_of(a->local, a->local_n);
}
static inline struct slice address_domain(const struct address *a) {
  return slice_of(a->domain, a->domain_n);
}

/* Parses a path with its brackets at the front of `*in`, and moves `*in` behind it; neither `*in`
 * nor `*ret` is touched on error. */
enum address_error address_take_reverse(struct slice *in, struct address *ret);
enum address_error address_take_forward(struct slice *in, struct address *ret);
/* The same for a client that may omit the brackets, the domain, or both. `domain` is appended to an
 * address without one; "postmaster" needs none. */
enum address_error address_take_reverse_free(struct slice *in, struct slice domain,
                                             struct address *ret);
enum address_error address_take_forward_free(struct slice *in, struct slice domain,
                                             struct address *ret);
/* A whole mailbox without brackets, "user@example.org", as a user types it. */
enum address_error address_parse(struct slice s, struct address *ret);

/* Domain of RFC 5321 §4.1.2: letters, digits and inner hyphens in labels of at most 63 octets, at
 * most 255 in all. */
bool address_is_domain(struct slice s);
/* address-literal of RFC 5321 §4.1.3: "[192.0.2.1]" or "[IPv6:2001:db8::1]", with its brackets. */
bool address_is_literal(struct slice s);
/* The literal of a network address of 4 or 16 octets. */
void address_put_literal(struct buf *out, const uint8_t *ip, size_t n);

/* As in a path, without the brackets: the local part is quoted where necessary. <> prints
 * nothing. */
void address_put(struct buf *out, const struct address *a);
/* The form used between processes: local part without quotes, "@", domain; "postmaster" alone. */
void address_put_plain(struct buf *out, const struct address *a);
/* From that plain form to the form of a path. */
void address_put_quoted(struct buf *out, struct slice plain);

#endif
