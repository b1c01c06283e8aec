/* SPDX-License-Identifier: ISC */
/* Evaluates an SPF record (spf.h, RFC 7208 §4) for one address, term after term, with include and
 * redirect by recursion. Invariant: at most LOOKUPS_MAX DNS look-ups; beyond, and for anything that
 * is not evaluated here, the result is "unsure", never a pass. */
#include "src/cli/admin/spf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/num.h"

enum { LOOKUPS_MAX = 10 }; /* RFC 7208 §4.6.4 */

struct spf {
  spf_ask_fn *ask;
  void *arg;
  const struct dns_address *address;
  unsigned lookups;
  struct dns_answer *answer; /* the latest; consumed before the next look-up */
};

enum match { MATCH_NO, MATCH_YES, MATCH_UNSURE, MATCH_LATER };

static enum spf_result check_domain(struct spf *s, const char *domain, struct buf *record);

/* --- the record --- */

static bool is_spf(struct slice text) {
  return slice_case_starts(text, SLICE("v=spf1")) && (text.n == 6 || text.p[6] == ' ');
}

static enum spf_result find_record(struct spf *s, const char *domain, struct buf *record) {
  struct slice text;
  size_t count = 0;
  if (!s->ask(s->arg, domain, DNS_TXT, s->answer) || s->answer->result == DNS_LATER ||
      s->answer->result == DNS_BOGUS)
    return SPF_LATER;
  for (size_t at = 0; dns_text_next(s->answer, &at, &text);) {
    if (!is_spf(text)) continue;
    if (!count++) buf_put(record, text);
  }
  return count == 0 ? SPF_NONE : count > 1 ? SPF_DOUBLE : SPF_PASS;
}

/* --- mechanisms --- */

static bool same_network(const struct dns_address *a, const uint8_t *octets, unsigned bits) {
  for (unsigned i = 0; i < bits; i++)
    if ((a->octets[i / 8] ^ octets[i / 8]) & (0x80 >> i % 8)) return false;
  return true;
}

/* "192.0.2.0/24" */
static enum match match_ip(const struct spf *s, struct slice text, int family) {
  uint8_t octets[16];
  char address[64] = "";
  uint64_t bits = family == AF_INET ? 32 : 128;
  struct slice ip = slice_split(&text, '/');
  if (ip.n >= sizeof address || (text.p && !num_parse(text, bits, &bits))) return MATCH_UNSURE;
  memcpy(address, ip.p, ip.n);
  if (inet_pton(family, address, octets) != 1) return MATCH_UNSURE;
  if (s->address->n != (family == AF_INET ? 4 : 16)) return MATCH_NO;
  return same_network(s->address, octets, (unsigned)bits) ? MATCH_YES : MATCH_NO;
}

static enum match match_hosts(struct spf *s, const char *domain, enum dns_kind kind) {
  if (s->lookups++ == LOOKUPS_MAX) return MATCH_UNSURE;
  if (!s->ask(s->arg, domain, kind, s->answer) || s->answer->result == DNS_LATER)
    return MATCH_LATER;
  if (s->answer->implicit) return MATCH_NO; /* RFC 7208 §5.4: no fall-back to A for mx */
  for (size_t i = 0; i < s->answer->host_count; i++)
    for (size_t k = 0; k < s->answer->hosts[i].address_count; k++) {
      const struct dns_address *a = &s->answer->hosts[i].addresses[k];
      if (a->n == s->address->n && memcmp(a->octets, s->address->octets, a->n) == 0)
        return MATCH_YES;
    }
  return MATCH_NO;
}

static enum match match_include(struct spf *s, const char *domain) {
  struct buf record;
  if (s->lookups++ == LOOKUPS_MAX) return MATCH_UNSURE;
  buf_init(&record, 4096);
  enum spf_result r = check_domain(s, domain, &record);
  buf_free(&record);
  return r == SPF_PASS    ? MATCH_YES
         : r == SPF_FAIL  ? MATCH_NO
         : r == SPF_LATER ? MATCH_LATER
                          : MATCH_UNSURE;
}

/* One term without its qualifier. */
static enum match match_term(struct spf *s, const char *domain, struct slice term) {
  struct slice rest = term, name = slice_split(&rest, ':');
  char target[DNS_NAME_MAX + 1];
  snprintf(target, sizeof target, "%s", domain);
  if (rest.p) snprintf(target, sizeof target, "%.*s", SLICE_ARG(slice_first(rest, DNS_NAME_MAX)));
  if (slice_caseeq(term, SLICE("all"))) return MATCH_YES;
  if (slice_find(term, '%') >= 0) return MATCH_UNSURE;
  if (slice_caseeq(name, SLICE("ip4"))) return match_ip(s, rest, AF_INET);
  if (slice_caseeq(name, SLICE("ip6"))) return match_ip(s, rest, AF_INET6);
  if (slice_caseeq(name, SLICE("a"))) return match_hosts(s, target, DNS_ADDRESS);
  if (slice_caseeq(name, SLICE("mx"))) return match_hosts(s, target, DNS_MX);
  if (slice_caseeq(name, SLICE("include"))) return match_include(s, target);
  return MATCH_UNSURE;
}

static bool take_modifier(struct slice term, struct slice *ret_redirect) {
  struct slice value = term, name = slice_split(&value, '=');
  if (!value.p) return false;
  if (slice_caseeq(name, SLICE("redirect"))) *ret_redirect = value;
  return true;
}

/* The first term that matches decides (RFC 7208 §4.6.2). */
static enum spf_result check_terms(struct spf *s, const char *domain, struct slice terms,
                                   struct slice *ret_redirect) {
  bool unsure = false;
  while (terms.n) {
    struct slice term = slice_split(&terms, ' ');
    if (!term.n || is_spf(term) || take_modifier(term, ret_redirect)) continue;
    bool signed_term = strchr("+-~?", term.p[0]) != NULL, pass = !signed_term || term.p[0] == '+';
    enum match m = match_term(s, domain, slice_from(term, signed_term));
    if (m == MATCH_LATER) return SPF_LATER;
    unsure |= m == MATCH_UNSURE;
    if (m == MATCH_YES) return unsure ? SPF_UNSURE : pass ? SPF_PASS : SPF_FAIL;
  }
  return unsure ? SPF_UNSURE : SPF_NONE;
}

static enum spf_result check_domain(struct spf *s, const char *domain, struct buf *record) {
  struct slice redirect = SLICE_NONE;
  struct buf other;
  char target[DNS_NAME_MAX + 1];
  enum spf_result r = find_record(s, domain, record);
  if (r != SPF_PASS) return r;
  r = check_terms(s, domain, buf_slice(record), &redirect);
  if (r != SPF_NONE) return r;
  if (!redirect.n) return SPF_FAIL; /* neutral (§4.7): it makes no statement about the address */
  if (s->lookups++ == LOOKUPS_MAX) return SPF_UNSURE;
  snprintf(target, sizeof target, "%.*s", SLICE_ARG(slice_first(redirect, DNS_NAME_MAX)));
  buf_init(&other, 4096);
  r = check_domain(s, target, &other);
  buf_free(&other);
  return r == SPF_NONE ? SPF_UNSURE : r;
}

enum spf_result spf_check(spf_ask_fn *ask, void *arg, const char *domain,
                          const struct dns_address *address, struct buf *record) {
  struct spf s = {
    .ask = ask, .arg = arg, .address = address, .answer = calloc(1, sizeof *s.answer)
  };
  enum spf_result r = s.answer ? check_domain(&s, domain, record) : SPF_LATER;
  free(s.answer);
  return r;
}
