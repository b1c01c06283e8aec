/* SPDX-License-Identifier: ISC */
/* The process that talks to DNS: it connects to the name servers and to nothing else, opens no
 * file, holds no secret. It reads the machine's files (resolv.conf, hosts, the trust anchor) before
 * it is confined; the parent restarts it at a reload, so that it reads them again. */
#include "ipc/dialer_resolver.h"
#include "src/resolver/admin.h"
#include "src/roles.h"

#include <unistd.h>

struct resolver_process {
  struct dns *dns;
  struct resolver *resolver;
};

static void send_answer(void *arg, enum role kind, uint32_t number, uint64_t tag,
                        const struct dns_answer *answer) {
  struct buf text, b;
  if (kind == ROLE_CLI) {
    resolver_admin_answer(arg, number, answer);
    return;
  }
  buf_init(&text, DNS_ANSWER_MAX);
  buf_init(&b, DNS_ANSWER_MAX + 8);
  dns_answer_put(&text, answer);
  dns_reply_put(&b, &(struct dns_reply){ buf_slice(&text) });
  if (text.failed || b.failed)
    process_fail(arg, "no memory for an answer");
  else
    process_send(arg, kind, number, dns_reply_type, tag, buf_slice(&b), -1);
  buf_free(&text);
  buf_free(&b);
}

/* The ports of the name servers: Landlock allows connections to no other TCP port. */
static bool take_ports(struct process *r, const struct dns_settings *settings, struct buf *err) {
  struct buf servers;
  buf_init(&servers, DNS_SERVERS_TEXT_MAX);
  bool ok = dns_servers(settings, &servers, err);
  struct slice rest = buf_slice(&servers), ip;
  while (ok && rest.n && r->dial_count < PROCESS_PORTS_MAX)
    if (dns_server_parse(slice_split(&rest, '\n'), &ip, &r->dials[r->dial_count])) r->dial_count++;
  buf_free(&servers);
  return ok;
}

static bool prepare(struct process *r, struct buf *err) {
  struct resolver_process *process = r->arg;
  struct dns_settings settings = { .servers = r->conf->dns_servers.items,
                                   .server_count = r->conf->dns_servers.count,
                                   .trust_anchor = r->conf->dns_trust_anchor,
                                   .timeout_ms = (unsigned)r->conf->dns_timeout * 1000 };
  process->dns = dns_new(r->loop, &settings, err);
  return process->dns && take_ports(r, &settings, err);
}

static bool start(struct process *r, struct buf *err) {
  struct resolver_process *process = r->arg;
  process->resolver = resolver_new(process->dns, r->conf, send_answer, r);
  if (!process->resolver) buf_put_str(err, "no memory");
  return process->resolver != NULL;
}

static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  (void)state;
  struct resolver_process *process = r->arg;
  struct dns_ask m;
  if (kind == ROLE_CLI) return resolver_admin(r, process->resolver, number, msg);
  if (msg->type != dns_ask_type || !dns_ask_get(msg->payload, &m) || m.kind >= DNS_KINDS)
    return false;
  resolver_ask(process->resolver, kind, number, msg->tag, m.name, (enum dns_kind)m.kind,
               loop_now(r->loop));
  return true;
}

static void peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct resolver_process *process = r->arg;
  resolver_asker_lost(process->resolver, kind, number);
}

static void end(struct process *r) {
  struct resolver_process *process = r->arg;
  resolver_free(&process->resolver);
  dns_free(&process->dns);
}

static const struct role_ops ops = {
  .kind = ROLE_RESOLVER,
  .prepare = prepare,
  .start = start,
  .message = message,
  .peer_lost = peer_lost,
  .end = end,
};

int resolver_main(int argc, char **argv) {
  (void)argc, (void)argv;
  struct resolver_process process = { 0 };
  return process_run(&ops, &process);
}
