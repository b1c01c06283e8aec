/* SPDX-License-Identifier: ISC */
/* A certificate's validity and names, for monitoring. Only the server's own certificates are read
 * here. */
#ifndef QASID_TLS_FACTS_H
#define QASID_TLS_FACTS_H

#include "lib/base/buf.h"

struct tls_facts {
  int64_t begins_s, ends_s; /* notBefore, notAfter: seconds since 1970 */
  bool fits;                /* its subjectAltName covers `host` (RFC 9525 §6.3; never its CN) */
};

/* Reads the first certificate in a PEM text. The host names of its subjectAltName go into `names`
 * (NULL: not wanted), separated by ", ". False: there is no readable certificate. */
bool tls_facts(struct slice pem, const char *host, struct tls_facts *ret, struct buf *names);

#endif
