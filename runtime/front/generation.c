/* SPDX-License-Identifier: ISC */
/* The configuration, certificates and services of new sessions, replaced as a whole by a reload. */
#include "runtime/front/private.h"

#include <stdlib.h>

static struct conf *conf_copy(const struct conf *conf) {
  struct buf packed;
  buf_init(&packed, IPC_PAYLOAD_MAX);
  conf_pack(conf, &packed);
  struct conf *copy = packed.failed ? NULL : conf_unpack(buf_slice(&packed));
  buf_free(&packed);
  return copy;
}

static bool make_tls(struct front *f, struct front_generation *generation, struct buf *err) {
  if (f->chain_count == 0) return true;
  struct slice *chains = calloc(f->chain_count, sizeof *chains);
  if (!chains) return false;
  for (size_t i = 0; i < f->chain_count; i++) chains[i] = buf_slice(&f->chains[i]);
  struct tls_service s = {
    .name = role_name(f->role->kind),
    .alpn = f->role->alpn,
    .least = (enum tls_version)generation->conf->tls_least,
    .ciphers = (enum tls_ciphers)generation->conf->tls_ciphers,
    .chains = chains,
    .chain_count = f->chain_count,
    .signer = { remote_key_signer, &f->keys },
    .ticket_life_s = generation->conf->tls_ticket_life,
    .asks_client = generation->conf->client_certificates,
  };
  generation->tls = tls_server_new(&s, err);
  free(chains);
  if (generation->tls && f->ticket_len)
    tls_server_tickets(generation->tls, slice_of(f->ticket_keys, f->ticket_len));
  return generation->tls != NULL;
}

struct front_generation *front_generation_new(struct front *f, struct buf *err) {
  struct front_generation *generation = calloc(1, sizeof *generation);
  if (!generation) return NULL;
  generation->refs = 1;
  generation->conf = conf_copy(f->process->conf);
  bool good = generation->conf && make_tls(f, generation, err);
  for (size_t i = 0; good && i < f->listener_count; i++) {
    generation->services[i] =
        f->role->service_new(generation->conf, f->listeners[i].service, generation->tls != NULL);
    good = generation->services[i] != NULL;
    generation->service_count = i + good;
  }
  if (!good) front_generation_unref(&generation, f->role);
  return generation;
}

void front_generation_unref(struct front_generation **eraptr, const struct front_role *role) {
  struct front_generation *generation = *eraptr;
  *eraptr = NULL;
  if (!generation || --generation->refs) return;
  for (size_t i = 0; i < generation->service_count; i++)
    role->service_free(&generation->services[i]);
  tls_server_unref(&generation->tls);
  conf_free(&generation->conf);
  free(generation);
}
