/* SPDX-License-Identifier: ISC */
/* smtpd: the shell of runtime/front with SMTP sessions. */
#include "runtime/front/front.h"
#include "mail/smtp/reply.h"
#include "src/smtpd/session.h"
#include "src/roles.h"

#include <stdlib.h>

static void *service_new(const struct conf *conf, const char *service, bool has_certificate) {
  struct smtpd_service *shared = calloc(1, sizeof *shared);
  if (shared) smtpd_service_init(shared, conf, service, has_certificate);
  return shared;
}

static void service_free(void **service) {
  free(*service);
  *service = NULL;
}

/* RFC 5321 §4.2: the text of 421 begins with the server's name. */
static void busy(const void *service, struct buf *out) {
  const struct smtpd_service *shared = service;
  smtp_reply_put(out, SMTP_CROWDED, slice_str(shared->hostname));
}

int smtpd_main(int argc, char **argv) {
  static const struct front_role role = {
    .kind = ROLE_SMTPD,
    .ops = &smtpd_session_ops,
    .alpn = "smtp",
    .service_new = service_new,
    .service_free = service_free,
    .busy = busy,
  };
  return front_run(&role);
}
