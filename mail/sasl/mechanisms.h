/* SPDX-License-Identifier: ISC */
/* The mechanisms' steps, for the table in sasl.c. Only mail/sasl includes this. */
#ifndef QASID_SASL_MECHANISMS_H
#define QASID_SASL_MECHANISMS_H

#include "mail/sasl/sasl.h"

enum sasl_verdict plain_server(struct sasl_server *s, bool has, struct slice response,
                               struct buf *out);
enum sasl_advice plain_client(struct sasl_client *c, bool has, struct slice challenge,
                              struct buf *out);
enum sasl_verdict login_server(struct sasl_server *s, bool has, struct slice response,
                               struct buf *out);
enum sasl_advice login_client(struct sasl_client *c, bool has, struct slice challenge,
                              struct buf *out);

void cram_start(struct sasl_server *s, struct slice host, int64_t wall_s);
enum sasl_verdict cram_server(struct sasl_server *s, bool has, struct slice response,
                              struct buf *out);
enum sasl_verdict cram_secret(struct sasl_server *s, const struct sasl_secret *secret);
enum sasl_advice cram_client(struct sasl_client *c, bool has, struct slice challenge,
                             struct buf *out);

enum sasl_verdict scram_server(struct sasl_server *s, bool has, struct slice response,
                               struct buf *out);
enum sasl_verdict scram_salt(struct sasl_server *s, struct slice salt, uint32_t iterations,
                             struct buf *out);
enum sasl_verdict scram_secret(struct sasl_server *s, const struct sasl_secret *secret,
                               struct buf *out);
enum sasl_advice scram_client(struct sasl_client *c, bool has, struct slice challenge,
                              struct buf *out);

enum sasl_verdict bearer_server(struct sasl_server *s, bool has, struct slice response,
                                struct buf *out);
enum sasl_verdict xoauth2_server(struct sasl_server *s, bool has, struct slice response,
                                 struct buf *out);
enum sasl_verdict token_judged(struct sasl_server *s, bool right, struct buf *out);
enum sasl_advice bearer_client(struct sasl_client *c, bool has, struct slice challenge,
                               struct buf *out);
enum sasl_advice xoauth2_client(struct sasl_client *c, bool has, struct slice challenge,
                                struct buf *out);

enum sasl_verdict external_server(struct sasl_server *s, bool has, struct slice response,
                                  struct buf *out);
enum sasl_advice external_client(struct sasl_client *c, bool has, struct slice challenge,
                                 struct buf *out);

/* saslname (RFC 5801 §4): "=2C" is a comma, "=3D" an equals sign, any other "=" is an error. */
bool sasl_name_get(struct slice s, struct buf *out);
void sasl_name_put(struct buf *out, struct slice s);

#endif
