/* SPDX-License-Identifier: ISC */
/* When a certificate is near its end. certbot renews 30 days before; a certificate that is not
 * renewed a week later will not be without help. */
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
