/* SPDX-License-Identifier: ISC */
/* Signs a letter before it goes to its next hop (DKIM, RFC 6376; docs/design/dkim.md):
 *
 *   PLANS    a letter that must become 7-bit (mail/seven.h): its octets are scanned first
 *   HASHES   its octets, as they will be sent, go through dkim_scan: those that came with it, then
 *            those read from store (send_read)
 *   WAITS    the hash and the canonical header are ready; at most SIGN_QUESTIONS are open at keys
 *   ASKED    keys makes the fields
 *
 * A message that goes to many destinations is many letters with the same octets: keys is asked
 * once, the others wait for that answer or find it in the cache (signed.h).
 *
 * A message that cannot be signed (no From:, a limit of mail/dkim.h) goes unsigned; if the keys of
 * its domain cannot be used, `dkim_key_trouble` decides. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tls/digest.h"
#include "src/sender/sender.h"

struct signing {
  struct letter *letter;
  struct signing *next; /* WAITS */
  bool waits;
  bool plans;
  uint64_t since_ms;
  uint64_t at;  /* PLANS, HASHES: octets seen */
  uint64_t put; /* octets of the converter's output */
  struct dkim_scan scan;
  struct digest_run *hash;
  uint8_t body_hash[DKIM_HASH];
  uint8_t key[DKIM_HASH]; /* WAITS, ASKED: of the question */
  struct buf names, input;
};

static void on_body(void *arg, struct slice octets) { digest_put(arg, octets); }

/* --- life --- */

static struct signing *signing_new(struct letter *l) {
  struct signing *g = calloc(1, sizeof *g);
  if (!g) return NULL;
  g->letter = l;
  g->since_ms = loop_now(l->sender->process->loop);
  buf_init(&g->names, DKIM_NAMES_MAX);
  buf_init(&g->input, DKIM_INPUT_MAX);
  g->hash = digest_begin(DIGEST_SHA256);
  dkim_scan_begin(&g->scan, on_body, g->hash);
  l->signing = g;
  return g;
}

static void unqueue(struct sender *s, struct signing *g) {
  struct signing **at = &s->first_signing;
  if (!g->waits) return;
  while (*at != g) at = &(*at)->next;
  *at = g->next;
  if (!g->next) s->last_signing = at;
  g->waits = false;
}

void sign_drop(struct letter *l) {
  struct signing *g = l->signing;
  struct sender *s = l->sender;
  if (!g) return;
  l->signing = NULL;
  unqueue(s, g);
  for (size_t i = 0; i < SIGN_QUESTIONS; i++)
    if (s->signings[i].letter == l) s->signings[i].letter = NULL;
  digest_end(&g->hash, NULL);
  dkim_scan_free(&g->scan);
  buf_free(&g->names);
  buf_free(&g->input);
  free(g);
}

/* --- its end --- */

static void continue_signing(struct letter *l) {
  struct sender *s = l->sender;
  sign_drop(l);
  letter_rewind(l);
  if (s->ending)
    letter_return(l);
  else
    nexthop_take(s, l);
}

static void unsigned_then(struct letter *l, const char *why) {
  struct log_line line;
  log_open(&line, &l->sender->process->log, LOG_E_UNSIGNED);
  log_str(&line, LOG_F_ID, l->id);
  log_str(&line, LOG_F_FROM, l->smtp.return_path.n ? l->smtp.return_path : SLICE("<>"));
  log_cstr(&line, LOG_F_REASON, why);
  log_end(&line);
  continue_signing(l);
}

static void put_off(struct letter *l, const char *why) {
  static const uint8_t enhanced[3] = { 4, 7, 5 }; /* RFC 3463 §3.8: cryptographic failure */
  char text[WHY_MAX];
  snprintf(text, sizeof text, "%s: %.*s", why, SLICE_ARG(slice_first(l->signer, 150)));
  sign_drop(l);
  letter_decide(l, SEND_TEMPORARY, SMTP_STAGE_CONNECT, 0, enhanced, slice_str(text));
  letter_report(l);
}

static void key_trouble(struct letter *l) {
  if (l->sender->process->conf->dkim_key_trouble == CONF_DKIM_KEY_TROUBLE_SEND)
    unsigned_then(l, "the DKIM keys of its domain cannot be used");
  else
    put_off(l, "the DKIM keys of this domain cannot be used (qasid dkim list, dkim_key_trouble)");
}

static void prefix_then(struct letter *l, struct slice fields) {
  l->prefix = arena_copy(&l->memory, fields);
  if (!l->prefix.p) {
    l->prefix = SLICE_NONE;
    put_off(l, "no memory for the signature for");
    return;
  }
  l->smtp.size += fields.n;
  continue_signing(l);
}

/* --- asking keys --- */

static void sign_go(struct sender *s);

static void on_pause_over(void *arg) {
  struct sender *s = arg;
  s->sign_paused = false;
  sign_go(s);
}

static void make_question(const struct signing *g, struct buf *b) {
  buf_init(b, 70 * 1024);
  dkim_sign_put(b, &(struct dkim_sign){ g->letter->signer, buf_slice(&g->names),
                                        slice_of(g->body_hash, sizeof g->body_hash),
                                        buf_slice(&g->input) });
}

static void put_question(struct sender *s, size_t place, struct signing *g) {
  struct buf b;
  make_question(g, &b);
  s->signings[place].number = ++s->sign_question;
  s->signings[place].letter = g->letter;
  if (!b.failed)
    process_send(s->process, ROLE_KEYS, s->keys, dkim_sign_type, s->sign_question, buf_slice(&b),
                 -1);
  else
    s->signings[place].number = 0; /* no memory: it is deferred when it has waited too long */
  buf_free(&b);
}

static bool is_same(const struct signing *g, const uint8_t key[static DKIM_HASH]) {
  return memcmp(g->key, key, DKIM_HASH) == 0;
}

static bool is_asked(const struct sender *s, const struct signing *g) {
  for (size_t i = 0; i < SIGN_QUESTIONS; i++)
    if (s->signings[i].letter && is_same(s->signings[i].letter->signing, g->key)) return true;
  return false;
}

/* The first waiting one whose question is not open. */
static struct signing *next_to_ask(const struct sender *s) {
  struct signing *g = s->first_signing;
  for (unsigned n = 0; g && n < SIGN_LOOKED_AT; g = g->next, n++)
    if (!is_asked(s, g)) return g;
  return NULL;
}

static void sign_go(struct sender *s) {
  for (size_t i = 0; i < SIGN_QUESTIONS && s->keys && !s->sign_paused; i++) {
    if (s->signings[i].number) continue;
    struct signing *g = next_to_ask(s);
    if (!g) return;
    unqueue(s, g);
    put_question(s, i, g);
  }
}

static void queue(struct sender *s, struct signing *g) {
  g->next = NULL;
  g->waits = true;
  *s->last_signing = g;
  s->last_signing = &g->next;
}

static void pause_asking(struct sender *s) {
  if (!s->sign_pause) s->sign_pause = loop_timer_new(s->process->loop, on_pause_over, s);
  s->sign_paused = s->sign_pause != NULL;
  if (s->sign_paused) loop_timer_set(s->sign_pause, loop_now(s->process->loop) + SIGN_PAUSE_MS);
}

/* For that letter, and for all that wait for the same answer. */
static void take_signatures(struct sender *s, struct letter *l, struct slice fields) {
  uint8_t key[DKIM_HASH];
  struct signing *g = l->signing;
  memcpy(key, g->key, sizeof key);
  signed_keep(&s->signatures, key, fields, loop_now(s->process->loop));
  prefix_then(l, fields);
  for (;;) {
    for (g = s->first_signing; g && !is_same(g, key); g = g->next) {
    }
    if (!g) return;
    unqueue(s, g);
    prefix_then(g->letter, fields);
  }
}

static void take_answer(struct sender *s, struct letter *l, const struct dkim_signed *a) {
  switch ((enum sign_outcome)a->outcome) {
  case SIGN_DONE: take_signatures(s, l, a->fields); break;
  case SIGN_NO_KEY: continue_signing(l); break;
  case SIGN_BUSY:
    queue(s, l->signing);
    pause_asking(s);
    break;
  default: key_trouble(l);
  }
}

/* False: not asked. */
bool sign_answer(struct sender *s, uint64_t question, const struct dkim_signed *a) {
  for (size_t i = 0; i < SIGN_QUESTIONS; i++) {
    if (!question || s->signings[i].number != question) continue;
    struct letter *l = s->signings[i].letter;
    s->signings[i].number = 0;
    s->signings[i].letter = NULL;
    if (l) take_answer(s, l, a);
    sign_go(s);
    return true;
  }
  return false;
}

void sign_keys_connected(struct sender *s, uint32_t number) {
  s->keys = number;
  sign_go(s);
}

void sign_keys_lost(struct sender *s, uint32_t number) {
  if (number != s->keys) return;
  s->keys = 0;
  for (size_t i = 0; i < SIGN_QUESTIONS; i++) {
    struct letter *l = s->signings[i].letter;
    s->signings[i].number = 0;
    s->signings[i].letter = NULL;
    if (l) queue(s, l->signing);
  }
}

/* The question is complete: takes the cached answer, or asks keys. */
static void sign_ask(struct letter *l) {
  struct sender *s = l->sender;
  struct signing *g = l->signing;
  struct buf b;
  make_question(g, &b);
  bool fine = !b.failed && digest_of(DIGEST_SHA256, buf_slice(&b), g->key);
  buf_free(&b);
  struct slice known =
      fine ? signed_find(&s->signatures, g->key, loop_now(s->process->loop)) : SLICE_NONE;
  if (!fine) {
    put_off(l, "no memory for the signature for");
  } else if (known.n) {
    prefix_then(l, known);
  } else {
    queue(s, g);
    sign_go(s);
  }
}

/* --- hashing --- */

static void hashed(struct letter *l) {
  struct signing *g = l->signing;
  dkim_scan_end(&g->scan);
  struct slice header = buf_slice(&g->scan.header);
  enum dkim_fit fit = g->scan.header.failed ? DKIM_TOO_BIG : dkim_choose(header, &g->names);
  if (fit == DKIM_FITS) fit = dkim_input(header, buf_slice(&g->names), &g->input);
  if (!digest_end(&g->hash, g->body_hash)) {
    put_off(l, "no memory for the signature for");
  } else if (fit != DKIM_FITS) {
    unsigned_then(l, fit == DKIM_NO_FROM ? "it has no From field"
                                         : "its header is too large to be signed");
  } else {
    dkim_scan_free(&g->scan);
    sign_ask(l);
  }
}

static void take_octets(struct letter *l, struct slice octets);

/* Takes the converter's output. */
static void take_converted(struct letter *l) {
  struct signing *g = l->signing;
  struct slice text = buf_slice(&l->converted);
  if (l->signer.n) dkim_scan_put(&g->scan, text);
  g->put += text.n;
  if (!l->converted.failed) buf_reset(&l->converted);
}

static void put_through(struct letter *l, struct slice octets) {
  struct signing *g = l->signing;
  if (!l->seven)
    dkim_scan_put(&g->scan, octets);
  else if (g->plans)
    seven_put(l->seven, octets, NULL);
  for (struct slice rest = octets; l->seven && !g->plans && rest.n;
       rest = slice_from(rest, CONVERTED_PIECE)) {
    seven_put(l->seven, slice_first(rest, CONVERTED_PIECE), &l->converted);
    take_converted(l);
  }
}

/* The scan is complete: the message is read again and converted, or cannot be. */
static void planned(struct letter *l) {
  struct signing *g = l->signing;
  seven_end(l->seven, NULL);
  enum seven_verdict v = l->seven->verdict;
  seven_free(l->seven);
  if (v != SEVEN_CAN) {
    free(l->seven);
    l->seven = NULL;
    sign_drop(l);
    letter_give_up(l, seven_why(v));
    return;
  }
  seven_begin(l->seven, &l->plan, true);
  g->plans = false;
  g->at = 0;
  take_octets(l, l->first);
}

static void converted(struct letter *l) {
  seven_end(l->seven, &l->converted);
  take_converted(l);
  l->smtp.size = l->signing->put;
  l->smtp.eight_bit = false;
  if (l->converted.failed)
    put_off(l, "no memory for a message in 7 bits for");
  else if (l->signer.n)
    hashed(l);
  else
    continue_signing(l);
}

static void take_octets(struct letter *l, struct slice octets) {
  struct signing *g = l->signing;
  put_through(l, octets);
  g->at += octets.n;
  if (g->at == l->size && g->plans)
    planned(l);
  else if (g->at == l->size && l->seven)
    converted(l);
  else if (g->at == l->size || (!l->seven && g->scan.header.failed))
    hashed(l);
  else
    sign_resume(l);
}

void sign_resume(struct letter *l) {
  if (l->asked) return; /* octets of an earlier reading come first */
  letter_ask(l, l->signing->at);
  if (l->unreadable) put_off(l, "no memory for the signature for");
}

void sign_octets(struct letter *l, struct slice octets) {
  if (octets.n && octets.n <= l->size - l->signing->at)
    take_octets(l, octets);
  else
    put_off(l, "the message cannot be read to be signed for");
}

static void begin(struct letter *l, bool plans) {
  struct signing *g = signing_new(l);
  if (g && g->hash) {
    g->plans = plans;
    take_octets(l, l->first);
    return;
  }
  sign_drop(l);
  process_fail(l->sender->process, "no memory for a signature"); /* store takes its letters back */
}

void sign_begin(struct letter *l) {
  if (l->signer.n)
    begin(l, false);
  else
    nexthop_take(l->sender, l);
}

void sign_convert(struct letter *l) {
  l->seven = malloc(sizeof *l->seven);
  if (!l->seven) {
    process_fail(l->sender->process, "no memory for a message in 7 bits");
    return;
  }
  seven_begin(l->seven, &l->plan, false);
  l->prefix = SLICE_NONE; /* the signatures were for octets that will not be sent */
  l->refused = 0;
  begin(l, true);
}

/* --- patience --- */

static bool is_late(const struct letter *l, uint64_t now_ms) {
  return l->signing && (l->recalled || now_ms - l->signing->since_ms > SIGN_PATIENCE_MS);
}

void sign_sweep(struct sender *s) {
  uint64_t key, value, now = loop_now(s->process->loop);
  for (size_t i = 0; map_each(&s->letters, &i, &key, &value);) {
    struct letter *l = (struct letter *)(uintptr_t)value;
    if (!is_late(l, now)) continue;
    put_off(l, l->asked ? "the message cannot be read to be signed for"
                        : "the keys process does not answer for");
    i = 0; /* the table has changed */
  }
}
