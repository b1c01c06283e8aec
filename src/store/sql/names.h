/* SPDX-License-Identifier: ISC */
/* Domains and addresses as an administrator types them. */
#ifndef QASID_STORE_SQL_NAMES_H
#define QASID_STORE_SQL_NAMES_H

#include "lib/base/buf.h"

enum { NAME_DOMAIN_MAX = 255, NAME_LOCAL_MAX = 254 /* as in mail/address.h */ };

/* A host name in lower case: labels of letters, digits and inner hyphens (RFC 1035 §2.3.1). */
bool name_is_domain(struct slice s);
/* It is one label, as "localhost" is. */
bool name_is_dotless(struct slice s);
/* "local@domain" cut apart at its last "@"; both valid. */
bool name_split(struct slice address, struct slice *ret_local, struct slice *ret_domain);
/* "@domain", which catches all of it. */
bool name_catches_all(struct slice address, struct slice *ret_domain);

#endif
