/* SPDX-License-Identifier: ISC */
/* The option `source_addresses`: the local address from which mail is sent, and its name.
 *
 *   UNKNOWN → (PTR looked up at the start, and daily) → NAMED | NAMELESS
 *   (no answer: the state stays, and the question is soon repeated)
 *
 * An IPv6 address is used once it is NAMED: many servers refuse mail from one without a PTR record,
 * and a bad reputation lasts. An IPv4 address is used whatever DNS says; `status` reports it. One
 * destination sees one address of a family, always the same as long as the same ones are usable: so
 * a server that greylists recognises it. */
#include <stdio.h>
#include <string.h>

#include "ipc/dialer_resolver.h"
#include "src/sender/sender.h"

enum { SOURCE_AGAIN_MS = 24 * 3600 * 1000, SOURCE_SOON_MS = 60 * 1000 };

static struct slice next_word(struct slice *line) {
  struct slice word;
  do word = slice_split(line, ' ');
  while (!word.n && line->p);
  return word;
}

static bool take_source(const struct conf *c, struct slice line, struct source *ret) {
  char text[64];
  struct slice address = next_word(&line), name = next_word(&line);
  snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_first(address, sizeof text - 1)));
  *ret = (struct source){ .state = SOURCE_UNKNOWN };
  snprintf(ret->hello, sizeof ret->hello, "%.*s",
           SLICE_ARG(name.n ? slice_first(name, 255) : slice_str(c->hostname)));
  return dial_address_parse(text, 0, &ret->at);
}

void sources_read(struct sender *s) {
  const struct conf *c = s->process->conf;
  for (size_t i = 0; i < c->source_addresses.count && s->source_count < SOURCES_MAX; i++)
    s->source_count +=
        take_source(c, slice_str(c->source_addresses.items[i]), &s->sources[s->source_count]);
  s->process->binds = s->source_count > 0;
}

bool source_is_used(const struct source *x) { return x->at.n == 4 || x->state == SOURCE_NAMED; }

bool source_for(const struct sender *s, const char *nexthop, uint8_t family,
                const struct source **ret) {
  size_t usable = 0;
  *ret = NULL;
  if (!s->source_count) return true;
  for (size_t i = 0; i < s->source_count; i++)
    usable += s->sources[i].at.n == family && source_is_used(&s->sources[i]);
  if (!usable) return false;
  size_t nth = slice_hash(slice_str(nexthop)) % usable;
  for (size_t i = 0; i < s->source_count; i++)
    if (s->sources[i].at.n == family && source_is_used(&s->sources[i]) && !nth--)
      *ret = &s->sources[i];
  return *ret != NULL;
}

/* --- their PTR records --- */

/* A private address is translated to a public one, whose PTR record does not describe it. */
static bool has_pointer(const struct source *x) { return dial_address_is_public(&x->at); }

static void ask_pointer(struct sender *s, struct source *x) {
  char name[DNS_NAME_MAX + 1];
  struct dns_address a = { .n = x->at.n };
  struct buf b;
  buf_init(&b, 512);
  memcpy(a.octets, x->at.octets, sizeof a.octets);
  dns_reverse_name(&a, name);
  x->question = ++s->question;
  dns_ask_put(&b, &(struct dns_ask){ DNS_PTR, slice_str(name) });
  if (!b.failed)
    process_send(s->process, ROLE_RESOLVER, s->resolver, dns_ask_type, x->question, buf_slice(&b),
                 -1);
  else
    x->question = 0;
  buf_free(&b);
}

void sources_sweep(struct sender *s) {
  uint64_t now = loop_now(s->process->loop);
  for (size_t i = 0; s->resolver && i < s->source_count; i++)
    if (!s->sources[i].question && has_pointer(&s->sources[i]) && now >= s->sources[i].ask_ms)
      ask_pointer(s, &s->sources[i]);
}

static void take_pointer(struct source *x, const struct dns_answer *a) {
  struct slice name;
  bool fits = false;
  x->state = SOURCE_NAMELESS;
  for (size_t at = 0; !fits && dns_text_next(a, &at, &name);) {
    x->state = SOURCE_NAMED;
    fits = slice_caseeq(name, slice_str(x->hello));
    snprintf(x->pointer, sizeof x->pointer, "%.*s", SLICE_ARG(slice_first(name, 255)));
  }
  x->fits = fits;
}

static void log_nameless(const struct sender *s, const struct source *x) {
  struct buf b;
  buf_init(&b, 64);
  dial_address_put(&x->at, &b);
  log_print(&s->process->log, LOG_E_SOURCE_NAMELESS, "%.*s has no PTR record%s",
            SLICE_ARG(buf_slice(&b)),
            x->at.n == 16 ? ", so no mail leaves from it" : ": many servers refuse mail from it");
  buf_free(&b);
}

bool source_answer(struct sender *s, uint64_t question, const struct dns_answer *a) {
  struct source *x = s->sources;
  while (x < s->sources + s->source_count && x->question != question) x++;
  if (x == s->sources + s->source_count) return false;
  bool known = a->result == DNS_FOUND || a->result == DNS_NONE || a->result == DNS_NO_NAME;
  enum source_state before = x->state;
  x->question = 0;
  x->ask_ms = loop_now(s->process->loop) + (known ? SOURCE_AGAIN_MS : SOURCE_SOON_MS);
  if (known) take_pointer(x, a);
  if (x->state == SOURCE_NAMELESS && before != SOURCE_NAMELESS) log_nameless(s, x);
  if (x->state != before) nexthops_forget_hosts(s);
  return true;
}

void sources_resolver_lost(struct sender *s) {
  for (size_t i = 0; i < s->source_count; i++) s->sources[i].question = 0;
}

/* "as mail.example.org; its PTR record: mail.example.org", and what is wrong with it. */
void source_put(const struct source *x, struct buf *out) {
  buf_printf(out, "as %s; ", x->hello);
  if (!has_pointer(x))
    buf_put_str(out, "a private address: others see another one");
  else if (x->state == SOURCE_UNKNOWN)
    buf_put_str(out, "its PTR record is not known yet");
  if (x->state == SOURCE_NAMELESS) buf_put_str(out, "it has no PTR record");
  if (x->state == SOURCE_NAMED)
    buf_printf(out, "its PTR record: %s%s", x->pointer, x->fits ? "" : ", which is another name");
  if (!source_is_used(x)) buf_put_str(out, "; it is not used");
}
