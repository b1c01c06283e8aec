/* SPDX-License-Identifier: ISC */
/* The inside of a connection, shared by the files of this folder. */
#ifndef QASID_TLS_INTERNAL_H
#define QASID_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "lib/tls/tls.h"

struct tls_conn {
  SSL *ssl;
  struct tls_server *server; /* a reference, or NULL on the client's side */
  int fd;
  int io_errno;     /* the errno of a failed system call, 0 if none failed */
  bool eof;         /* the peer's stream ended */
  bool heard;       /* any octets were received */
  bool shown;       /* our certificate was sent */
  uint8_t alert;    /* the last one received (RFC 8446 §6); 0: none, or close_notify */
  bool open;        /* the handshake is done */
  bool ended;       /* the peer sends no more: every read returns `end` */
  bool over;        /* every call returns `end` */
  size_t allowance; /* octets that OpenSSL may still read from the descriptor in this call */
  /* handshake messages and alerts not offset by data, see TLS_IDLE_RECORDS */
  unsigned idle_records;
  size_t paid; /* octets of data not yet offset against them */
  enum tls_result end;
  const char *reason; /* static */
};

/* A new connection on `fd`; tls_accept and tls_connect add their side. NULL without memory. */
struct tls_conn *tls_conn_new(SSL_CTX *ctx, const BIO_METHOD *io, int fd);
/* The client's settings, for lib/tls/client_key.c. */
SSL_CTX *tls_client_ctx(struct tls_client *c);
/* How a connection reads and writes its descriptor; owned by the server or client it is made for.
 */
BIO_METHOD *tls_io_method(void);

/* Settings of both sides: versions, ciphers, groups, modes. */
bool tls_common_setup(SSL_CTX *ctx, enum tls_version least, enum tls_ciphers ciphers);

/* A key whose private half is in another process. */
struct tls_remote {
  struct tls_signer signer;
  unsigned key;
};
struct tls_methods; /* OpenSSL's method tables for such keys */
struct tls_methods *tls_methods_new(void);
void tls_methods_free(struct tls_methods **m);
/* The certificate's public key, whose private operations are requested from `remote`, which must
 * outlive it. NULL with a short reason in *ret_why when the kind or size of the key is not
 * supported. */
EVP_PKEY *tls_remote_pkey(const struct tls_methods *m, X509 *x, struct tls_remote *remote,
                          const char **ret_why);

#endif
