/* SPDX-License-Identifier: ISC */
/* Which certificate serves which host name: the names of all certificates, sorted, looked up by
 * bisection. Exact names come before wildcards; a wildcard stands for exactly the first label
 * (RFC 6125 §6.4.3). */
#ifndef QASID_TLS_NAMES_H
#define QASID_TLS_NAMES_H

#include "lib/base/arena.h"

enum tls_key_kind { TLS_KEY_EC, TLS_KEY_RSA, TLS_KEY_KINDS };

struct tls_name {
  struct slice name; /* lower case, "*." in front of a wildcard */
  enum tls_key_kind kind;
  unsigned certificate;
};

struct tls_names {
  struct tls_name *items;
  size_t count, cap;
  struct arena mem;
};

void tls_names_init(struct tls_names *t);
void tls_names_done(struct tls_names *t);
/* Adds a name of a certificate; one that cannot be a host name is omitted. False without memory. */
bool tls_names_add(struct tls_names *t, struct slice name, enum tls_key_kind kind,
                   unsigned certificate);
/* To be called after the last add and before the first find. */
void tls_names_sort(struct tls_names *t);
/* For each kind of key, the lowest certificate that serves `host`, or -1. False: none does. */
bool tls_names_find(const struct tls_names *t, struct slice host, int ret[TLS_KEY_KINDS]);
/* Only letters, digits and "-_.:", 1 to 255 octets: the names that a client may send at all. */
bool tls_name_is_sane(struct slice host);

#endif
