/* smtpd: the shell of lib/front with SMTP sessions in it. */
#include "lib/front/front.h"
#include "lib/smtp/reply.h"
#include "src/smtpd/session.h"
#include "src/roles.h"

#include <stdlib.h>

static void *service_new(const struct conf *conf, const char *service, bool has_certificate) {
  struct smtpd_service *svc = calloc(1, sizeof *svc);
  if (svc) smtpd_service_init(svc, conf, service, has_certificate);
  return svc;
}

static void service_free(void **service) {
  free(*service);
  *service = NULL;
}

/* RFC 5321 §4.2: the words behind 421 begin with the server's name. */
static void busy(const void *service, struct buf *out) {
  const struct smtpd_service *svc = service;
  smtp_reply_put(out, SMTP_CROWDED, slice_str(svc->hostname));
}

int smtpd_main(int argc, char **argv) {
  static const struct front_role role = {
    .kind = ROOM_SMTPD,
    .ops = &smtpd_session_ops,
    .alpn = "smtp",
    .service_new = service_new,
    .service_free = service_free,
    .busy = busy,
  };
  return front_run(&role);
}
