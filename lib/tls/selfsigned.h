/* SPDX-License-Identifier: ISC */
/* A self-signed certificate, so that the server never runs without TLS. */
#ifndef QASID_TLS_SELFSIGNED_H
#define QASID_TLS_SELFSIGNED_H

#include "lib/base/buf.h"

/* A P-256 key and a certificate for `names`, each a host name ("mail.example.org", "*.example.org")
 * or an IP address, valid from yesterday (clocks differ) for ten years. PEM is put into the buffers
 * (8 KB is enough for some hundred names); `key_pem` is a secret: buf_wipe() it. False when a name
 * is neither, n is 0, or without memory; the buffers' contents are then undefined. */
bool tls_make_self_signed(const char *const *names, size_t n, struct buf *cert_pem,
                          struct buf *key_pem);

#endif
