/* SPDX-License-Identifier: ISC */
/* Lookup of hosts by name: addresses, services (RFC 2782), mail exchangers (RFC 5321 §5.1).
 * libunbound queries over UDP with random ports and ids, over TCP where an answer was truncated,
 * and validates with DNSSEC if it is given a trust anchor.
 *
 * One question gets one answer: the services of a domain come with the addresses of their hosts, in
 * the order in which they are to be tried. Names are absolute and in their ASCII form (A-labels);
 * neither search domains nor conversions are applied here. Addresses are looked up in the hosts
 * file first, as the C library does.
 *
 * Everything is bounded: names, hosts, addresses, open questions, memory, and the time until an
 * answer. The data of foreign name servers is checked again when libunbound returns it
 * (packet.h). */
#ifndef QASID_DNS_H
#define QASID_DNS_H

#include "lib/base/buf.h"
#include "lib/ev/loop.h"

enum {
  DNS_NAME_MAX = 253,     /* octets of a name in text, without a closing dot (RFC 1035 §3.1) */
  DNS_HOSTS_MAX = 16,     /* hosts of one answer: the first in the order of trial are kept */
  DNS_ADDRESSES_MAX = 8,  /* addresses of one host */
  DNS_SERVERS_MAX = 8,    /* name servers; resolv.conf(5) has at most 3 */
  DNS_OPEN_MAX = 512,     /* open questions */
  DNS_TIMEOUT_MS = 20000, /* after that the answer is "try later" */
  DNS_WHY_MAX = 159,
  /* of TXT records, or names (PTR), of one answer: those that fit are kept */
  DNS_TEXTS_OCTETS = 6000,
};

enum dns_kind { DNS_ADDRESS, DNS_SRV, DNS_MX, DNS_TXT, DNS_PTR, DNS_KINDS };

enum dns_result {
  DNS_FOUND,
  DNS_NONE,     /* the name exists, but has no record of that kind */
  DNS_REFUSED,  /* the domain states that it has no such service: "." (RFC 2782, RFC 7505) */
  DNS_NO_NAME,  /* the name does not exist */
  DNS_LATER,    /* no answer, or an unusable one: nothing is known yet */
  DNS_BOGUS,    /* DNSSEC validation failed */
  DNS_BAD_NAME, /* the question is not a valid name */
  DNS_RESULTS
};

struct dns_address {
  uint8_t n; /* 4 or 16 */
  uint8_t octets[16];
};

struct dns_host {
  char name[DNS_NAME_MAX + 1]; /* lower case, no closing dot */
  uint16_t port;               /* SRV; else 0 */
  uint16_t priority, weight;   /* SRV, MX (its preference) */
  bool later;                  /* its addresses could not be looked up (temporary failure) */
  uint8_t address_count;
  struct dns_address addresses[DNS_ADDRESSES_MAX]; /* IPv6 and IPv4 alternating */
};

struct dns_answer {
  enum dns_kind kind;
  enum dns_result result;
  bool secure; /* DNSSEC validated all of it */
  /* MX: there is no record, so the name itself receives its mail (RFC 5321 §5.1) */
  bool implicit;
  char why[DNS_WHY_MAX + 1]; /* LATER, BOGUS: details for humans; may be empty */
  uint8_t host_count;        /* FOUND: at least one, and at least one of them with an address */
  /* in the order to try them. ADDRESS: one, the name itself */
  struct dns_host hosts[DNS_HOSTS_MAX];
  /* TXT, PTR: octets in use of `texts`; FOUND: at least one text, and no hosts */
  uint16_t texts_n;
  uint8_t texts[DNS_TEXTS_OCTETS]; /* see dns_text_next() */
};

/* The next text of an answer, from `*at` on, which starts at 0: the strings of one TXT record
 * joined (RFC 7208 §3.3), or a name. False: there are no more. */
bool dns_text_next(const struct dns_answer *a, size_t *at, struct slice *ret);
/* Adds one; a text that does not fit is omitted. */
void dns_text_add(struct dns_answer *a, struct slice text);
/* The name whose PTR record names an address (RFC 1035 §3.5, RFC 3596 §2.5). */
void dns_reverse_name(const struct dns_address *a, char to[static DNS_NAME_MAX + 1]);

/* "address", "srv", "mx", "txt", "ptr"; DNS_KINDS for another word. */
enum dns_kind dns_kind_named(struct slice word);
const char *dns_kind_name(enum dns_kind kind);
/* "found", "no such name", … */
const char *dns_result_name(enum dns_result result);

struct dns_settings {
  const char *const *servers; /* "IP" or "IP@port"; none: those of resolv_conf */
  size_t server_count;
  const char *resolv_conf;  /* NULL: /etc/resolv.conf */
  const char *hosts;        /* NULL: /etc/hosts */
  const char *trust_anchor; /* a file of DS or DNSKEY records; NULL or "": no validation */
  unsigned timeout_ms;      /* 0: DNS_TIMEOUT_MS */
};

/* `ip` or `ip@port`, as in the option dns_servers: splits it; false when it is malformed. */
bool dns_server_parse(struct slice text, struct slice *ret_ip, uint16_t *ret_port);
/* The name servers in use: "IP@port", each ended with a line feed; at most DNS_SERVERS_MAX. False
 * with a sentence in `err`. */
enum { DNS_SERVERS_TEXT_MAX = 1024 };
bool dns_servers(const struct dns_settings *settings, struct buf *ret, struct buf *err);

struct dns;
struct dns_question;

/* Reads every file it needs now, and none later: a process may confine itself afterwards. NULL with
 * a sentence in `err`. */
struct dns *dns_new(struct loop *l, const struct dns_settings *settings, struct buf *err);
/* Open questions are dropped without an answer. Not to be called from dns_fn. */
void dns_free(struct dns **d);

/* Called once, from the loop, never before dns_ask() returned. The answer is valid during the call;
 * the callback may ask new questions, but not in an endless sequence: some are answered in the same
 * turn of the loop. */
typedef void dns_fn(void *arg, const struct dns_answer *answer);
/* NULL: no memory, or DNS_OPEN_MAX questions are open. */
struct dns_question *dns_ask(struct dns *d, struct slice name, enum dns_kind kind, dns_fn *fn,
                             void *arg);
/* Cancels a question; not to be called once it was answered. */
void dns_cancel(struct dns_question **q);

/* Asks and waits, for the command line: a loop of its own, at most settings->timeout_ms. False with
 * a sentence: the question could not be asked. True: *ret is filled, whatever the result. */
bool dns_lookup(const struct dns_settings *settings, struct slice name, enum dns_kind kind,
                struct dns_answer *ret, struct buf *err);

/* --- pure parts --- */

/* Checks a name: labels of 1 to 63 letters, digits, hyphens (not at an end) and underscores,
 * DNS_NAME_MAX octets in all, the last label not all digits, so that no address passes for a name.
 * One trailing dot is permitted. `to` receives the name in lower case, without that dot. */
bool dns_name_check(struct slice text, char to[static DNS_NAME_MAX + 1]);

/* Sorts the hosts into the order of trial: by priority; those of one priority are drawn by weight
 * (RFC 2782), MX evenly (RFC 5321 §5.1). `chance`: unpredictable numbers. */
void dns_order(struct dns_answer *a, const uint32_t chance[static DNS_HOSTS_MAX]);

/* Encodes an answer for another process, and decodes it; false when it is malformed. At most
 * DNS_ANSWER_MAX octets. */
enum { DNS_ANSWER_MAX = 8192 };
void dns_answer_put(struct buf *b, const struct dns_answer *a);
bool dns_answer_get(struct slice s, struct dns_answer *ret);

/* An address in text. */
enum { DNS_ADDRESS_TEXT = 46 };
void dns_address_text(const struct dns_address *a, char to[static DNS_ADDRESS_TEXT]);

#endif
