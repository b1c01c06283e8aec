/* SPDX-License-Identifier: ISC */
/* Settings of both sides: the versions, ciphers and groups of Mozilla's "intermediate" profile
 * without finite-field Diffie-Hellman, and the modes that keep an idle connection small. */
#include "lib/tls/internal.h"

static const char ciphers_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
/* For RSA certificates on Windows 7, 8.1 and Server 2012 R2: forward secrecy, but CBC. OpenSSL
 * protects it against Lucky Thirteen by constant-time code and by encrypt-then-MAC if the client
 * supports that. */
static const char ciphers_older[] = ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
                                    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"
                                    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
                                    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA";
static const char ciphers_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";

static bool set_ciphers(SSL_CTX *ctx, enum tls_ciphers which) {
  char list[sizeof ciphers_1_2 + sizeof ciphers_older];
  memcpy(list, ciphers_1_2, sizeof ciphers_1_2);
  if (which == TLS_CIPHERS_COMPATIBLE)
    memcpy(list + sizeof ciphers_1_2 - 1, ciphers_older, sizeof ciphers_older);
  return SSL_CTX_set_cipher_list(ctx, list) == 1 && SSL_CTX_set_ciphersuites(ctx, ciphers_1_3) == 1;
}

bool tls_common_setup(SSL_CTX *ctx, enum tls_version least, enum tls_ciphers which) {
  int version = least == TLS_LEAST_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  return SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
         SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 && set_ciphers(ctx, which) &&
         SSL_CTX_set1_groups_list(ctx, groups) == 1;
}
