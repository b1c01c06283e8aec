/* The configuration, certificates and services that new sessions get, replaced whole at a reload. */
#include "lib/front/private.h"

#include <stdlib.h>

static struct conf *conf_copy(const struct conf *conf) {
  struct buf packed;
  buf_init(&packed, IPC_PAYLOAD_MAX);
  conf_pack(conf, &packed);
  struct conf *copy = packed.failed ? NULL : conf_unpack(buf_slice(&packed));
  buf_free(&packed);
  return copy;
}

static bool make_tls(struct front *f, struct front_era *era, struct buf *err) {
  if (f->chain_count == 0) return true;
  struct slice *chains = calloc(f->chain_count, sizeof *chains);
  if (!chains) return false;
  for (size_t i = 0; i < f->chain_count; i++) chains[i] = buf_slice(&f->chains[i]);
  struct tls_service s = {
    .name = room_name(f->role->kind),
    .alpn = f->role->alpn,
    .least = (enum tls_version)era->conf->tls_least,
    .ciphers = (enum tls_ciphers)era->conf->tls_ciphers,
    .chains = chains,
    .chain_count = f->chain_count,
    .signer = { remote_key_signer, &f->keys },
    .ticket_life_s = era->conf->tls_ticket_life,
    .asks_client = era->conf->client_certificates,
  };
  era->tls = tls_server_new(&s, err);
  free(chains);
  if (era->tls && f->ticket_len) tls_server_tickets(era->tls, slice_of(f->ticket_keys, f->ticket_len));
  return era->tls != NULL;
}

struct front_era *front_era_new(struct front *f, struct buf *err) {
  struct front_era *era = calloc(1, sizeof *era);
  if (!era) return NULL;
  era->refs = 1;
  era->conf = conf_copy(f->room->conf);
  bool good = era->conf && make_tls(f, era, err);
  for (size_t i = 0; good && i < f->listener_count; i++) {
    era->services[i] = f->role->service_new(era->conf, f->listeners[i].service, era->tls != NULL);
    good = era->services[i] != NULL;
    era->service_count = i + good;
  }
  if (!good) front_era_unref(&era, f->role);
  return era;
}

void front_era_unref(struct front_era **eraptr, const struct front_role *role) {
  struct front_era *era = *eraptr;
  *eraptr = NULL;
  if (!era || --era->refs) return;
  for (size_t i = 0; i < era->service_count; i++) role->service_free(&era->services[i]);
  tls_server_unref(&era->tls);
  conf_free(&era->conf);
  free(era);
}
