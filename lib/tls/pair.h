/* SPDX-License-Identifier: ISC */
/* What is wrong with a certificate and its key before they are used: for `qasid check-config`, the
 * start and a reload, in the same words. */
#ifndef QASID_TLS_PAIR_H
#define QASID_TLS_PAIR_H

#include "lib/base/buf.h"

/* A file's path, for the words, and its octets. */
struct tls_file {
  const char *path;
  struct slice pem;
};

/* False with `"PATH" …` in `err`: the file has no certificate, or one of its chain is damaged. */
bool tls_pair_certificate(const struct tls_file *certificate, struct buf *err);
/* The same for the key of a certificate that was found good. */
bool tls_pair_key(const struct tls_file *certificate, const struct tls_file *key, struct buf *err);
/* True with `"PATH" …` in `err`: its time is over. */
bool tls_pair_expired(const struct tls_file *certificate, int64_t now_s, struct buf *err);

#endif
