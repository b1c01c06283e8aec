/* SPDX-License-Identifier: ISC */
/* The header of notices to the postmaster (notice.h). Auto-Submitted keeps vacation programs from
 * replying (RFC 3834 §5). */
#include "mail/notice.h"

#include "mail/date.h"

void notice_put_header(struct buf *out, const char *host, struct slice subject, struct slice id,
                       int64_t now_s) {
  buf_printf(out,
             "From: Mail System <postmaster@%s>\r\nTo: <postmaster@%s>\r\n"
             "Subject: %.*s\r\nDate: ",
             host, host, SLICE_ARG(subject));
  date_put(out, now_s, 0);
  buf_printf(out, "\r\nMessage-ID: <%.*s@%s>\r\nAuto-Submitted: auto-generated\r\n\r\n",
             SLICE_ARG(id), host);
}
