/* SPDX-License-Identifier: ISC */
/* A link: tries addresses until one accepts a connection, and runs the session there.
 *
 *   address 1 → (its TLS fails: again, without) → address 2 → … → none: nexthop_failed()
 *                    session ready → letters → idle → QUIT
 *
 * A ready session that ends returns its letters; untried ones go to the front of the next hop's
 * queue. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/sys.h"
#include "lib/base/bug.h"
#include "src/sender/sender.h"

static struct smtp_client_policy policy_of(const struct link *k) {
  const struct route *r = &k->nexthop->route;
  static const enum smtp_client_tls how[] = { [ROUTE_OPPORTUNISTIC] = SMTP_TLS_IF_OFFERED,
                                              [ROUTE_REQUIRED] = SMTP_TLS_MUST,
                                              [ROUTE_VERIFIED] = SMTP_TLS_MUST,
                                              [ROUTE_NO_TLS] = SMTP_TLS_NEVER };
  struct smtp_client_policy p = { .tls = r->implicit_tls ? SMTP_TLS_IMPLICIT : how[r->tls],
                                  .lmtp = r->lmtp,
                                  .second_try = r->tls == ROUTE_VERIFIED };
  if (k->no_tls && p.tls == SMTP_TLS_IF_OFFERED) p.tls = SMTP_TLS_NEVER;
  return p;
}

/* --- the source: letters of the next hop --- */

static void note_server(struct link *k, struct letter *x) {
  struct buf b;
  buf_init(&b, sizeof x->address);
  dial_address_put(&k->address, &b);
  snprintf(x->host, sizeof x->host, "%s", k->host);
  snprintf(x->address, sizeof x->address, "%.*s", SLICE_ARG(buf_slice(&b)));
  snprintf(x->tls, sizeof x->tls, "%s", k->dial ? dial_tls_version(k->dial) : "");
  buf_free(&b);
}

static struct smtp_letter *on_next(void *arg) {
  struct link *k = arg;
  struct letter *x = nexthop_next(k);
  if (!x) return NULL;
  x->link = k;
  x->rounds++;
  x->session = k->number;
  note_server(k, x);
  return &x->smtp;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  return letter_read(l->own, out, most);
}

static void grow(struct nexthop *l) {
  if (l->want < l->sender->process->conf->destination_connections) l->want++;
}

/* Untried letters are tried again, but not endlessly, in case every server behaves so. */
static void on_done(void *arg, struct smtp_letter *smtp) {
  struct link *k = arg;
  struct letter *x = smtp->own;
  bool cut = k->client && k->client->end == SMTP_END_CUT, all = letter_take_verdicts(x, cut);
  k->sent += all || x->obstructed || x->progress;
  if (!all && k->nexthop->sender->ending) {
    letter_return(x);
    return;
  }
  if (!all && x->obstructed && !x->recalled) {
    x->rounds--; /* one round for each host, and each is tried once */
    nexthop_refused(k->nexthop, x, k->host, x->other_family ? k->address.n : 0);
    return;
  }
  if (!all && x->rounds < LETTER_ROUNDS_MAX && !x->recalled) {
    nexthop_put_back(k->nexthop, x);
    return;
  }
  if (!all) {
    struct smtp_verdict ended = { .stage = SMTP_STAGE_MAIL, .enhanced = { 4, 4, 2 } };
    const struct smtp_verdict *v = k->client ? &k->client->last : &k->why;
    bool replied = v->code || buf_len(&v->text);
    buf_init(&ended.text, SMTP_CLIENT_TEXT_MAX);
    buf_put_str(&ended.text, "the connection ended before the message was taken");
    letter_put_off(x, replied ? v : &ended);
    buf_free(&ended.text);
  }
  grow(k->nexthop);
  letter_report(x);
}

/* --- the connection --- */

static void get_bindings(void *arg, struct proto_bindings *ret) {
  dial_bindings(((struct link *)arg)->dial, ret);
}

static struct proto *on_ready(void *arg) {
  struct link *k = arg;
  const struct nexthop *l = k->nexthop;
  const struct conf *c = l->sender->process->conf;
  struct smtp_client_start start = {
    .hello = k->source ? k->source->hello : c->hostname,
    .host = k->host,
    .port = l->route.port,
    .user = l->route.user,
    .secret = l->route.secret,
    .policy = policy_of(k),
    .limits = { .greeting_ms = c->sender_greeting_timeout * 1000,
                .command_ms = c->sender_command_timeout * 1000,
                .data_ms = c->sender_data_timeout * 1000,
                .block_ms = c->sender_block_timeout * 1000,
                .end_ms = c->sender_end_timeout * 1000,
                .idle_ms = LINK_IDLE_MS },
    .source = { on_next, on_read, on_done, k },
    .channel = { get_bindings, k, NULL },
    .now_ms = loop_now(l->sender->process->loop),
  };
  sender_note_port(l->sender, &k->address, 0);
  sys_random(start.nonce, sizeof start.nonce);
  k->sent = 0;
  k->client = smtp_client_new(&start);
  return k->client ? &k->client->proto : NULL;
}

/* --- the end of a connection --- */

static void link_over(struct link *k) {
  if (k->over) return;
  BUG_IF(!k->nexthop->connections || !k->nexthop->sender->connections,
         "%s at %s: it is over, and none is counted: %u of the next hop, %zu of all",
         k->nexthop->name, k->host, k->nexthop->connections,
         (size_t)k->nexthop->sender->connections);
  k->over = true;
  k->nexthop->connections--;
  k->nexthop->sender->connections--;
  nexthop_mark(k->nexthop);
}

static void note_why(struct link *k, enum smtp_stage stage, const char *why) {
  static const uint8_t network[3] = { 4, 4, 1 }; /* RFC 3463 §3.5: no answer from host */
  k->why.stage = (uint8_t)stage;
  k->why.code = 0;
  memcpy(k->why.enhanced, network, sizeof network);
  buf_reset(&k->why.text);
  buf_put_str(&k->why.text, why);
}

/* Records the end of the session as a verdict on this address. */
static void note_session(struct link *k, const char *why) {
  const struct smtp_client *c = k->client;
  if (c->ready && c->end == SMTP_END_SHUT_DOWN && c->last.stage == SMTP_STAGE_RCPT) {
    note_why(k, SMTP_STAGE_MAIL,
             "the server closed the session over a recipient of another message: ");
    buf_printf(&k->why.text, "%u %.*s", c->last.code,
               SLICE_ARG(slice_first(buf_slice(&c->last.text), 300)));
  } else if (c->last.code || buf_len(&c->last.text)) {
    struct buf text = k->why.text;
    k->why = c->last;
    k->why.text = text;
    buf_reset(&k->why.text);
    buf_put(&k->why.text, buf_slice(&c->last.text));
  } else {
    note_why(k, c->stage, smtp_end_meaning(c->end));
    if (c->end == SMTP_END_TLS_FAILED || c->end == SMTP_END_GONE) {
      buf_put_str(&k->why.text, why[0] ? ": " : "");
      buf_put_str(&k->why.text, why);
    }
  }
}

static void note_address(struct link *k) {
  struct buf b;
  buf_init(&b, sizeof k->why_address);
  dial_address_put(&k->address, &b);
  snprintf(k->why_host, sizeof k->why_host, "%s", k->host);
  snprintf(k->why_address, sizeof k->why_address, "%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
}

/* Opportunistic TLS failed, stalled, or was garbage from the first octet on: retries the same
 * address without TLS, and remembers that for some days. An attacker who can cause that could
 * equally have removed STARTTLS from the EHLO response. */
static bool tls_is_the_cause(const struct link *k) {
  enum smtp_end end = k->client->end;
  bool failed =
      end == SMTP_END_TLS_FAILED || end == SMTP_END_INJECTION ||
      (k->client->stage == SMTP_STAGE_TLS && (end == SMTP_END_GONE || end == SMTP_END_TIMEOUT));
  return failed && !k->no_tls && policy_of(k).tls == SMTP_TLS_IF_OFFERED;
}

/* The ending connection cannot be freed from inside its own callback. */
static void go_later(struct link *k) {
  k->again = true;
  nexthop_mark(k->nexthop);
}

static void next_address(struct link *k) {
  note_address(k);
  k->at++;
  k->no_tls = false;
  go_later(k);
}

static void session_over(struct link *k, const char *why) {
  struct smtp_client *c = k->client;
  bool done = smtp_end_class(c->end) == SMTP_END_IS_DONE, ready = c->ready,
       again = tls_is_the_cause(k);
  bool worked_here = k->sent > 0;
  k->worked |= ready;
  note_session(k, why);
  alarm_login(k);
  smtp_client_free(&k->client);
  if (again) {
    const char *replied = buf_cstr(&k->why.text);
    sender_remember_no_tls(k->nexthop->sender, k->nexthop, &k->address, replied ? replied : "");
    k->no_tls = true;
    go_later(k);
  } else if (done || (ready && worked_here)) {
    link_over(k); /* the next hop opens another link if there is more to send */
  } else {
    next_address(k);
  }
}

static void all_failed(struct link *k) {
  nexthop_failed(k);
  link_over(k);
}

static void on_over(void *arg, enum dial_end end, const char *why) {
  struct link *k = arg;
  if (k->over) return;
  if (end == DIAL_SESSION_ENDED && k->client) {
    session_over(k, why);
  } else if (end == DIAL_NO_SESSION) {
    note_why(k, SMTP_STAGE_CONNECT, "memory ran out");
    note_address(k);
    all_failed(k);
  } else {
    if (end == DIAL_NO_ANSWER)
      sender_note_port(k->nexthop->sender, &k->address, dial_failure(k->dial));
    note_why(k, end == DIAL_NOT_SECURE ? SMTP_STAGE_TLS : SMTP_STAGE_CONNECT, why);
    next_address(k);
  }
}

/* --- the beginning --- */

/* Finds its next address. False: there is none. */
static bool find_address(struct link *k) {
  const struct hosts *h = &k->nexthop->hosts;
  while (k->at < h->count && (k->avoids >> k->at & 1)) k->at++;
  return k->at < h->count;
}

void sender_link_go(struct link *k) {
  struct nexthop *l = k->nexthop;
  k->again = false;
  const struct dial_ops ops = { on_ready, on_over, k, &smtp_client_ops };
  dial_free(&k->dial);
  bool work = nexthop_has_work(k);
  if (!find_address(k) || !work) { /* other links may have sent everything meanwhile */
    if (work)
      all_failed(k);
    else
      link_over(k);
    return;
  }
  k->number = ++l->sender->sessions;
  struct tls_client *tls = sender_tls(l->sender, l->route.tls == ROUTE_VERIFIED);
  k->address = l->hosts.addresses[k->at].at;
  snprintf(k->host, sizeof k->host, "%s", l->hosts.names[l->hosts.addresses[k->at].host]);
  k->no_tls |= sender_no_tls(l->sender, &k->address) != NULL;
  if (!source_for(l->sender, l->name, k->address.n, &k->source)) {
    note_why(k, SMTP_STAGE_CONNECT, "none of source_addresses may be used for this address");
    next_address(k);
    return;
  }
  struct dial_target t = { .addresses = &k->address,
                           .count = 1,
                           .host = route_certificate(&l->route, k->host),
                           .tls_first = l->route.implicit_tls,
                           .tls = tls,
                           .source = k->source ? &k->source->at : NULL,
                           .connect_ms = l->sender->process->conf->sender_connect_timeout * 1000 };
  k->dial = tls ? dial_new(l->sender->process->loop, &t, &ops) : NULL;
  if (k->dial) return;
  note_why(k, SMTP_STAGE_CONNECT,
           tls ? "memory ran out"
               : "tls_authorities could not be read, so no certificate can be verified");
  all_failed(k);
}

bool sender_link_open(struct nexthop *l, uint16_t avoids) {
  struct link *k = calloc(1, sizeof *k);
  if (!k) return false;
  k->nexthop = l;
  k->avoids = avoids;
  buf_init(&k->why.text, SMTP_CLIENT_TEXT_MAX);
  k->next = l->links;
  l->links = k;
  l->connections++;
  l->sender->connections++;
  sender_link_go(k);
  return true;
}

void sender_link_wake(struct link *k) {
  if (k->over || !k->client || !k->dial) return;
  k->client->proto.now_ms = loop_now(k->nexthop->sender->process->loop);
  smtp_client_wake(k->client);
  dial_wake(k->dial);
}

void sender_link_finish(struct link *k) {
  if (k->client && k->client->ready) {
    smtp_client_finish(k->client);
    sender_link_wake(k);
  } else {
    sender_link_cut(k);
  }
}

void sender_link_cut(struct link *k) {
  if (k->over) return;
  if (k->client) smtp_client_gone(k->client, SMTP_END_CUT);
  smtp_client_free(&k->client);
  dial_free(&k->dial);
  link_over(k);
}

void sender_link_free(struct link *k) {
  bool was_over = k->over;
  k->over = true;
  dial_free(&k->dial);
  smtp_client_free(&k->client);
  if (!was_over) {
    k->nexthop->connections--;
    k->nexthop->sender->connections--;
  }
  buf_free(&k->why.text);
  free(k);
}
