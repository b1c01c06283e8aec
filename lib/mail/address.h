/* The mailboxes of an SMTP envelope: the paths of RFC 5321 §4.1.2.
 *
 *   Reverse-path = Path / "<>"
 *   Forward-path = "<Postmaster>" / Path        (also "<Postmaster@" Domain ">", an ordinary Path)
 *   Path         = "<" [ A-d-l ":" ] Mailbox ">"
 *   Mailbox      = Local-part "@" ( Domain / address-literal )
 *
 * What is made of one:
 *  - a source route (A-d-l) is read and thrown away (RFC 5321 §4.1.1.3 and appendix C);
 *  - the local part loses its quoting and keeps its case; nothing in it has a meaning here: "%", "!"
 *    and a quoted "@" are octets like any other;
 *  - the domain is folded to lower case, a literal is put into its one canonical form.
 * So equal addresses have equal octets, and print(parse(x)) parses to the same again.
 *
 * Limits (RFC 5321 §4.5.3.1, RFC 1035 §2.3.4), as written on the wire: local part 64, domain 255,
 * label 63, path 256 with its brackets. Octets above 127 are refused as such, because SMTPUTF8
 * (RFC 6531) is not offered. */
#ifndef QASID_MAIL_ADDRESS_H
#define QASID_MAIL_ADDRESS_H

#include "lib/base/buf.h"

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 255, ADDRESS_LABEL_MAX = 63, ADDRESS_PATH_MAX = 256 };

enum address_kind {
  ADDRESS_NULL,       /* "<>": nobody */
  ADDRESS_POSTMASTER, /* "<Postmaster>": the local part is "postmaster", there is no domain */
  ADDRESS_MAILBOX,    /* local@domain */
  ADDRESS_LITERAL,    /* local@[192.0.2.1], local@[IPv6:2001:db8::1]; `domain` has the brackets */
};

enum address_error {
  ADDRESS_OK,
  ADDRESS_SYNTAX,   /* 501 5.1.3 or 5.1.7 */
  ADDRESS_TOO_LONG, /* the same */
  ADDRESS_UTF8,     /* an octet above 127: 553 5.6.7 */
};

/* Owns its octets; copied by assignment. */
struct address {
  uint8_t kind;
  uint8_t local_n, domain_n;
  uint8_t local[ADDRESS_LOCAL_MAX];
  uint8_t domain[ADDRESS_DOMAIN_MAX];
};

static inline struct slice address_local(const struct address *a) { return slice_of(a->local, a->local_n); }
static inline struct slice address_domain(const struct address *a) { return slice_of(a->domain, a->domain_n); }

/* A path with its brackets at the front of `*in`, which is moved behind it; neither `*in` nor `*ret`
 * is touched on error. */
enum address_error address_take_reverse(struct slice *in, struct address *ret);
enum address_error address_take_forward(struct slice *in, struct address *ret);
/* A whole mailbox without brackets, "user@example.org", as a person types it. */
enum address_error address_parse(struct slice s, struct address *ret);

/* Domain of RFC 5321 §4.1.2: letters, digits and inner hyphens in labels of at most 63, at most 255. */
bool address_is_domain(struct slice s);
/* address-literal: "[192.0.2.1]" or "[IPv6:2001:db8::1]", with its brackets. */
bool address_is_literal(struct slice s);
/* The literal of a network address of 4 or 16 octets. */
void address_put_literal(struct buf *out, const uint8_t *ip, size_t n);

/* As in a path, without the brackets: the local part in quotes where it needs them. <> prints nothing. */
void address_put(struct buf *out, const struct address *a);
/* As other rooms know it: local part without quotes, "@", domain; "postmaster" alone. */
void address_put_plain(struct buf *out, const struct address *a);
/* From that plain form to the form of a path. */
void address_put_quoted(struct buf *out, struct slice plain);

#endif
