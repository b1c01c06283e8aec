/* SPDX-License-Identifier: ISC */
/* Expiry thresholds of certificates. certbot renews 30 days before expiry; a certificate that has
 * not been renewed a week later needs attention. */
#ifndef QASID_CLI_CERTIFICATES_H
#define QASID_CLI_CERTIFICATES_H

#include <stdint.h>
#include <time.h>

enum { CERTIFICATE_WARN_DAYS = 21, CERTIFICATE_CRITICAL_DAYS = 7 };

/* "2027-01-31", in UTC. */
static inline const char *certificate_date(int64_t s, char to[static 32]) {
  struct tm tm;
  time_t t = (time_t)s;
  if (!gmtime_r(&t, &tm) || !strftime(to, 32, "%Y-%m-%d", &tm)) to[0] = 0;
  return to;
}

#endif
