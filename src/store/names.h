/* Domains and addresses as an administrator types them. */
#ifndef QASID_STORE_NAMES_H
#define QASID_STORE_NAMES_H

#include "lib/base/buf.h"

enum { NAME_DOMAIN_MAX = 255, NAME_LOCAL_MAX = 64 /* RFC 5321 §4.5.3.1 */ };

/* A host name in lower case: labels of letters, digits and inner hyphens (RFC 1035 §2.3.1), two at least. */
bool name_is_domain(struct slice s);
/* A dot-string (RFC 5321 §4.1.2), or one with UTF-8 in it (RFC 6531 §3.3). */
bool name_is_local(struct slice s);
/* "local@domain" cut apart at its last "@"; both valid. */
bool name_split(struct slice address, struct slice *ret_local, struct slice *ret_domain);
/* Octets with an optional K, M, G or T behind them. */
bool name_size(struct slice s, uint64_t *ret);
/* Seconds, or a number with s, m, h or d behind it. */
bool name_time(struct slice s, uint64_t *ret);

#endif
