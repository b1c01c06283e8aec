/* SPDX-License-Identifier: ISC */
/* The mechanisms that a server announces and accepts, the same for every protocol. */
#include "mail/sasl/sasl.h"

static sasl_set bit_of(const struct sasl_mechanism *m) { return 1u << (m - sasl_mechanisms); }

sasl_set sasl_set_of(const char *const *names, size_t count) {
  sasl_set set = 0;
  for (size_t i = 0; i < count; i++) {
    const struct sasl_mechanism *m = sasl_find(slice_str(names[i]));
    if (m) set |= bit_of(m);
  }
  return set;
}

bool sasl_usable(const struct sasl_mechanism *m, struct sasl_channel ch) {
  if (m->by == SASL_BY_TOKEN) return ch.tokens;
  if (m->by == SASL_BY_CERTIFICATE) return ch.certificate;
  return (ch.may_show || !m->plaintext) && (ch.binds || !m->binds);
}

bool sasl_has(sasl_set set, const struct sasl_mechanism *m) { return (set & bit_of(m)) != 0; }

bool sasl_has_binding(sasl_set set) {
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++)
    if (m->binds && (set & bit_of(m))) return true;
  return false;
}

sasl_set sasl_announced(sasl_set named, struct sasl_channel ch) {
  sasl_set set = 0;
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++) {
    bool set_up = m->by == SASL_BY_TOKEN || m->by == SASL_BY_CERTIFICATE;
    if (sasl_usable(m, ch)) set |= (set_up ? ~(sasl_set)0 : named) & bit_of(m);
  }
  return set;
}

void sasl_put_names(struct buf *out, sasl_set set, const char *before, const char *after) {
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++) {
    if (!(set & bit_of(m))) continue;
    buf_put_str(out, before);
    buf_put_str(out, m->name);
    buf_put_str(out, after);
  }
}
