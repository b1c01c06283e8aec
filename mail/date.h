/* SPDX-License-Identifier: ISC */
/* date-time of RFC 5322 §3.3: "Thu, 01 Jan 1970 00:00:00 +0000". */
#ifndef QASID_MAIL_DATE_H
#define QASID_MAIL_DATE_H

#include "lib/base/buf.h"

/* Writes the moment `unix_s` in the time zone `offset_min` minutes east of UTC. Moments outside the
 * years 1970 to 9999 are clamped; offsets to within a day. Pure: reads no clock and no time
 * zone. */
void date_put(struct buf *out, int64_t unix_s, int offset_min);
/* The day in UTC as "20261128"; clamped likewise. */
void date_put_day(struct buf *out, int64_t unix_s);

#endif
