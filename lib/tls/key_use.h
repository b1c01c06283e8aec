/* SPDX-License-Identifier: ISC */
/* What a private key may be used for. */
#ifndef QASID_TLS_KEY_USE_H
#define QASID_TLS_KEY_USE_H

/* In a TLS handshake. */
enum key_use {
  KEY_ECDSA,   /* digest → DER signature */
  KEY_RSA_RAW, /* a padded block of the modulus' size → the same size */
  KEY_ED25519, /* message → signature */
  KEY_USES
};

/* For the signature of a message (RFC 6376, RFC 8463). */
enum dkim_algorithm { DKIM_RSA, DKIM_ED25519, DKIM_ALGORITHMS };

#endif
