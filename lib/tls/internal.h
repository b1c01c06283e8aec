/* SPDX-License-Identifier: ISC */
/* What the files of this folder share: the inside of a connection. */
#ifndef QASID_TLS_INTERNAL_H
#define QASID_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "lib/tls/tls.h"

struct tls_conn {
  SSL *ssl;
  struct tls_server *server; /* a reference, or NULL on the client's side */
  int fd;
  int io_errno;     /* what a system call failed with, 0 while none did */
  bool eof;         /* the other side's octets ended */
  bool heard;       /* any came */
  bool shown;       /* our certificate was sent */
  uint8_t alert;    /* the last one that came: RFC 8446 §6; 0: none, or close_notify */
  bool open;        /* the handshake is done */
  bool ended;       /* the other side sends no more: then `end` is what every read gives */
  bool over;        /* then `end` is what every call gives */
  size_t allowance; /* octets that OpenSSL may still read from the descriptor in this call */
  /* handshake messages and alerts that no data has paid for, see TLS_IDLE_RECORDS */
  unsigned idle_records;
  size_t paid; /* octets of data not yet counted against them */
  enum tls_result end;
  const char *reason; /* static */
};

/* A connection in the making on `fd`; tls_accept and tls_connect add their side. NULL without
 * memory. */
struct tls_conn *tls_conn_new(SSL_CTX *ctx, const BIO_METHOD *io, int fd);
/* The client's settings, for lib/tls/client_key.c. */
SSL_CTX *tls_client_ctx(struct tls_client *c);
/* How a connection reads and writes its descriptor; owned by the server or client it is made for.
 */
BIO_METHOD *tls_io_method(void);

/* What both sides speak: versions, ciphers, groups, modes. */
bool tls_common_setup(SSL_CTX *ctx, enum tls_version least, enum tls_ciphers ciphers);

/* A key whose private half is elsewhere. */
struct tls_remote {
  struct tls_signer signer;
  unsigned key;
};
struct tls_methods; /* OpenSSL's method tables for such keys */
struct tls_methods *tls_methods_new(void);
void tls_methods_free(struct tls_methods **m);
/* The certificate's public key, with its private operations asked of `remote`, which must outlive
 * it. NULL with a few words in *ret_why when the key's kind or size isn't one we serve. */
EVP_PKEY *tls_remote_pkey(const struct tls_methods *m, X509 *x, struct tls_remote *remote,
                          const char **ret_why);

#endif
