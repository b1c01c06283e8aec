/* SPDX-License-Identifier: ISC */
/* Checks a certificate and its key before they are used: for `qasid check-config`, the start and a
 * reload, with the same messages. */
#ifndef QASID_TLS_PAIR_H
#define QASID_TLS_PAIR_H

#include "lib/base/buf.h"

/* A file's path, for messages, and its octets. */
struct tls_file {
  const char *path;
  struct slice pem;
};

/* False with `"PATH" …` in `err`: the file has no certificate, or one of its chain is damaged. */
bool tls_pair_certificate(const struct tls_file *certificate, struct buf *err);
/* The same for the key of a certificate that passed. */
bool tls_pair_key(const struct tls_file *certificate, const struct tls_file *key, struct buf *err);
/* True with `"PATH" …` in `err`: it has expired. */
bool tls_pair_expired(const struct tls_file *certificate, int64_t now_s, struct buf *err);

#endif
