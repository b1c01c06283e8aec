/* SPDX-License-Identifier: ISC */
/* Chooses the destination of fetched mail by the form of its name (dest.h), and keeps its first
 * error. The destinations are in dest_account.c, dest_smtp.c and dest_mailbox.c. */
#include "src/cli/client/dest.h"

#include <stdarg.h>
#include <stdio.h>

bool dest_fail(struct dest *d, int code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  if (!d->error[0]) vsnprintf(d->error, sizeof d->error, fmt, ap);
  va_end(ap);
  d->code = code;
  return false;
}

struct dest *dest_open(struct cli *c, const char *place, int *ret_code) {
  struct slice p = slice_str(place);
  if (slice_starts(p, SLICE("account:")))
    return dest_account_open(c, place + SLICE("account:").n, ret_code);
  if (slice_starts(p, SLICE("lmtp://")) || slice_starts(p, SLICE("smtp://")))
    return dest_smtp_open(c, place, ret_code);
  return dest_mailbox_open(place, ret_code);
}

void dest_free(struct dest **d) {
  if (*d) (*d)->ops->free(*d);
  *d = NULL;
}
