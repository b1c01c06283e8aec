/* SPDX-License-Identifier: ISC */
/* Names to hosts: addresses, services (RFC 2782), mail exchangers (RFC 5321 §5.1). libunbound asks,
 * over UDP with random ports and ids, over TCP where an answer was cut, and proves with DNSSEC what
 * it is given an anchor for.
 *
 * One question, one answer: the services of a domain come with the addresses of their hosts, in the
 * order in which they are to be tried. Names are absolute and in their ASCII form (A-labels);
 * neither search domains nor conversions happen here. Addresses are looked up in the hosts file
 * first, as the C library does.
 *
 * Everything is bounded: names, hosts, addresses, open questions, memory, and the time until an
 * answer. What strangers' name servers send is checked once more when it comes out of libunbound
 * (packet.h). */
#ifndef QASID_DNS_H
#define QASID_DNS_H

#include "lib/base/buf.h"
#include "lib/ev/loop.h"

enum {
  DNS_NAME_MAX = 253,     /* octets of a name in text, without a closing dot (RFC 1035 §3.1) */
  DNS_HOSTS_MAX = 16,     /* hosts of one answer: those to be tried first are kept */
  DNS_ADDRESSES_MAX = 8,  /* addresses of one host */
  DNS_SERVERS_MAX = 8,    /* name servers; resolv.conf(5) has at most 3 */
  DNS_OPEN_MAX = 512,     /* questions that wait for their answer */
  DNS_TIMEOUT_MS = 20000, /* then it is "try later" */
  DNS_WHY_MAX = 159,
  /* of TXT records, or names (PTR), of one answer: those that fit are kept */
  DNS_TEXTS_OCTETS = 6000,
};

enum dns_kind { DNS_ADDRESS, DNS_SRV, DNS_MX, DNS_TXT, DNS_PTR, DNS_KINDS };

enum dns_result {
  DNS_FOUND,
  DNS_NONE,     /* the name is there, but nothing of that kind */
  DNS_REFUSED,  /* it says that it has no such service: "." (RFC 2782, RFC 7505) */
  DNS_NO_NAME,  /* there is no such name */
  DNS_LATER,    /* no answer, or one that is of no use: as yet nothing is known */
  DNS_BOGUS,    /* DNSSEC says that the answer is not the owner's */
  DNS_BAD_NAME, /* what was asked is no name */
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
  bool later;                  /* its addresses could not be looked up now */
  uint8_t address_count;
  struct dns_address addresses[DNS_ADDRESSES_MAX]; /* IPv6 and IPv4 in turn */
};

struct dns_answer {
  enum dns_kind kind;
  enum dns_result result;
  bool secure; /* DNSSEC proves all of it */
  /* MX: there is none, so the name itself takes its mail (RFC 5321 §5.1) */
  bool implicit;
  char why[DNS_WHY_MAX + 1]; /* LATER, BOGUS: more, for people; may be empty */
  uint8_t host_count;        /* FOUND: at least one, and at least one of them with an address */
  /* in the order to try them. ADDRESS: one, the name itself */
  struct dns_host hosts[DNS_HOSTS_MAX];
  /* TXT, PTR: octets in use of `texts`; FOUND: at least one text, and no hosts */
  uint16_t texts_n;
  uint8_t texts[DNS_TEXTS_OCTETS]; /* see dns_text_next() */
};

/* The next text of an answer, from `*at` on, which begins with 0: the strings of one TXT record as
 * one (RFC 7208 §3.3), or a name. False: there are no more. */
bool dns_text_next(const struct dns_answer *a, size_t *at, struct slice *ret);
/* Adds one; what does not fit is left out. */
void dns_text_add(struct dns_answer *a, struct slice text);
/* The name whose PTR record says what an address is called (RFC 1035 §3.5, RFC 3596 §2.5). */
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
  const char *trust_anchor; /* a file of DS or DNSKEY records; NULL or "": nothing is proven */
  unsigned timeout_ms;      /* 0: DNS_TIMEOUT_MS */
};

/* `ip` or `ip@port`, as the option dns_servers has it. Cuts it up; false when it is none. */
bool dns_server_parse(struct slice text, struct slice *ret_ip, uint16_t *ret_port);
/* Who would be asked: "IP@port", each ended with a line feed; at most DNS_SERVERS_MAX. False with a
 * sentence. */
enum { DNS_SERVERS_TEXT_MAX = 1024 };
bool dns_servers(const struct dns_settings *settings, struct buf *ret, struct buf *err);

struct dns;
struct dns_question;

/* Reads every file it needs now, and none later: a process may confine itself afterwards. NULL with
 * a sentence. */
struct dns *dns_new(struct loop *l, const struct dns_settings *settings, struct buf *err);
/* Open questions are dropped without an answer. Not to be called from dns_fn. */
void dns_free(struct dns **d);
/* Questions that wait for their answer. */
size_t dns_open(const struct dns *d);

/* Called once, from the loop, never before dns_ask() returned. The answer is valid during the call;
 * new questions may be asked in it, but not without end: some are answered in the same turn of the
 * loop. */
typedef void dns_fn(void *arg, const struct dns_answer *answer);
/* NULL: no memory, or DNS_OPEN_MAX are open. */
struct dns_question *dns_ask(struct dns *d, struct slice name, enum dns_kind kind, dns_fn *fn,
                             void *arg);
/* No answer is wanted any more; not once it was given. */
void dns_cancel(struct dns_question **q);

/* Asks and waits, for the command line: a loop of its own, at most settings->timeout_ms. False with
 * a sentence: it could not even be asked. True: *ret is filled, whatever it says. */
bool dns_lookup(const struct dns_settings *settings, struct slice name, enum dns_kind kind,
                struct dns_answer *ret, struct buf *err);

/* --- pure parts --- */

/* A name: labels of 1 to 63 letters, digits, hyphens (not at an end) and underscores, DNS_NAME_MAX
 * octets in all, the last label not digits alone, so that no address passes for a name. One closing
 * dot is let pass. `to` gets it in lower case, without that dot. */
bool dns_name_check(struct slice text, char to[static DNS_NAME_MAX + 1]);

/* The hosts into the order to try them: by priority; those of one priority drawn by weight (RFC
 * 2782), MX evenly (RFC 5321 §5.1). `chance`: anything nobody can guess. */
void dns_order(struct dns_answer *a, const uint32_t chance[static DNS_HOSTS_MAX]);

/* An answer between processes, and back; false when it is malformed. At most DNS_ANSWER_MAX octets.
 */
enum { DNS_ANSWER_MAX = 8192 };
void dns_answer_put(struct buf *b, const struct dns_answer *a);
bool dns_answer_get(struct slice s, struct dns_answer *ret);

/* An address in text. */
enum { DNS_ADDRESS_TEXT = 46 };
void dns_address_text(const struct dns_address *a, char to[static DNS_ADDRESS_TEXT]);

#endif
