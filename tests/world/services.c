/* SPDX-License-Identifier: ISC */
#include "tests/world/services.h"

#include "src/pop3d/session.h"
#include "src/smtpd/session.h"
#include "tests/world/must.h"

static const struct {
  const char *name;
  enum role role;
  bool implicit_tls;
} rows[] = {
  { "smtp", ROLE_SMTPD, false },       { "submission", ROLE_SMTPD, false },
  { "submissions", ROLE_SMTPD, true }, { "pop3", ROLE_POP3D, false },
  { "pop3s", ROLE_POP3D, true },
};
enum { SERVICES = sizeof rows / sizeof *rows };

struct services {
  struct service services[SERVICES];
  struct smtpd_service smtp[SERVICES];
  struct pop3d_service pop3[SERVICES];
  struct pop3d_facts facts;
};

struct services *services_new(const struct conf *conf) {
  struct services *s = must_alloc(sizeof *s);
  for (size_t i = 0; i < SERVICES; i++) {
    struct service *v = &s->services[i];
    *v = (struct service){ .name = rows[i].name,
                           .role = rows[i].role,
                           .implicit_tls = rows[i].implicit_tls };
    if (v->role == ROLE_SMTPD) {
      smtpd_service_init(&s->smtp[i], conf, v->name, true);
      v->state = &s->smtp[i];
      v->ops = &smtpd_session_ops;
    } else {
      pop3d_service_init(&s->pop3[i], conf, v->name, true, &s->facts);
      v->state = &s->pop3[i];
      v->ops = &pop3d_session_ops;
    }
  }
  return s;
}

void services_free(struct services **s) {
  free(*s);
  *s = NULL;
}

void services_notice(struct services *s, unsigned role, uint16_t type, struct slice payload) {
  pop3d_facts_take(&s->facts, role, type, payload);
}

const struct service *services_find(const struct services *s, const char *name) {
  for (size_t i = 0; i < SERVICES; i++)
    if (!strcmp(s->services[i].name, name)) return &s->services[i];
  return NULL;
}
