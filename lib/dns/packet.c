/* SPDX-License-Identifier: ISC */
/* A reader of DNS messages. It passes once through the message: header, question, answer records. A
 * name may point back into the message (RFC 1035 §4.1.4); each jump must lead before the last one,
 * so every chain of pointers ends. */
#include "lib/dns/packet.h"

#include <string.h>

enum {
  HEADER = 12,
  CLASS_IN = 1,
  RCODE_NAME = 3, /* NXDOMAIN */
  CHAIN_MAX = 16, /* CNAMEs one after another */
};

enum name_state { NAME_GOOD, NAME_ROOT, NAME_FOUL /* octets that no host name has */ };

struct dns_reader {
  struct slice all;
  size_t at;
  bool bad; /* sticks */
  /* the name whose records are wanted: the one asked for, then the target of each CNAME */
  char owner[DNS_NAME_MAX + 1];
  unsigned answers, links;
};

/* Where its data is. */
struct record {
  size_t at, end;
};

static unsigned get_u8(struct dns_reader *r) {
  int c = slice_at(r->all, r->at);
  if (c < 0)
    r->bad = true;
  else
    r->at++;
  return c < 0 ? 0 : (unsigned)c;
}

static unsigned get_u16(struct dns_reader *r) {
  unsigned high = get_u8(r);
  return high << 8 | get_u8(r);
}

/* One label after its length octet. A dot or a space inside a label is an error: no host name has
 * one. */
static void put_label(struct dns_reader *r, unsigned n, struct buf *text) {
  if (buf_len(text)) buf_put_u8(text, '.');
  for (unsigned i = 0; i < n; i++) {
    unsigned c = get_u8(r);
    buf_put_u8(text, c == '.' ? ' ' : (uint8_t)c);
  }
  if (text->failed) r->bad = true;
}

/* The labels from r->at on; afterwards r->at follows the name where it stands, not where pointers
 * led. */
static void get_labels(struct dns_reader *r, struct buf *text) {
  size_t behind = 0, least = r->at;
  while (!r->bad) {
    unsigned n = get_u8(r);
    if (n == 0) break;
    if (n < 64) {
      put_label(r, n, text);
      continue;
    }
    size_t to = (size_t)(n & 63) << 8 | get_u8(r);
    if (n < 192 || to >= least) r->bad = true; /* 64 to 191 mean nothing (RFC 1035 §4.1.4) */
    if (!behind) behind = r->at;
    r->at = least = to;
  }
  if (behind) r->at = behind;
}

static enum name_state get_name(struct dns_reader *r, char to[static DNS_NAME_MAX + 1]) {
  uint8_t mem[DNS_NAME_MAX + 1];
  struct buf text = { .mem = mem, .cap = sizeof mem, .max = DNS_NAME_MAX };
  get_labels(r, &text);
  to[0] = 0;
  if (r->bad) return NAME_FOUL;
  if (!buf_len(&text)) return NAME_ROOT;
  return dns_name_check(buf_slice(&text), to) ? NAME_GOOD : NAME_FOUL;
}

/* Header and question. Returns the result, or FOUND: there may be records. */
static enum dns_result open_packet(struct dns_reader *r, struct slice packet, const char *name) {
  char asked[DNS_NAME_MAX + 1];
  *r = (struct dns_reader){ .all = packet };
  memcpy(r->owner, name, strlen(name) + 1);
  r->at = 2;
  unsigned flags = get_u16(r), questions = get_u16(r);
  r->answers = get_u16(r);
  r->at = HEADER;
  if (questions != 1) r->bad = true;
  get_name(r, asked);
  get_u16(r);
  get_u16(r);
  if (r->bad || !(flags & 0x8000)) return DNS_LATER;
  unsigned rcode = flags & 15;
  return rcode == 0 ? DNS_FOUND : rcode == RCODE_NAME ? DNS_NO_NAME : DNS_LATER;
}

static void follow(struct dns_reader *r, const struct record *rec) {
  size_t behind = rec->end;
  r->at = rec->at;
  if (get_name(r, r->owner) != NAME_GOOD || r->at != rec->end || ++r->links > CHAIN_MAX)
    r->bad = true;
  r->at = behind;
}

/* The next record of the wanted type and name. */
static bool next_record(struct dns_reader *r, unsigned type, struct record *ret) {
  while (r->answers > 0 && !r->bad) {
    char owner[DNS_NAME_MAX + 1];
    enum name_state state = get_name(r, owner);
    unsigned found = get_u16(r), class = get_u16(r);
    r->at += 4; /* time to live */
    size_t n = get_u16(r);
    r->answers--;
    if (!r->bad && n > r->all.n - r->at) r->bad = true;
    if (r->bad) break;
    *ret = (struct record){ r->at, r->at + n };
    r->at += n;
    if (state != NAME_GOOD || class != CLASS_IN || strcmp(owner, r->owner) != 0) continue;
    if (found == type) return true;
    if (found == DNS_TYPE_CNAME) follow(r, ret);
  }
  return false;
}

enum dns_result dns_packet_addresses(struct slice packet, const char *name, enum dns_type type,
                                     struct dns_found *ret) {
  struct dns_reader r;
  struct record rec;
  uint8_t size = type == DNS_TYPE_A ? 4 : 16;
  enum dns_result verdict = open_packet(&r, packet, name);
  ret->count = 0;
  if (verdict != DNS_FOUND) return verdict;
  while (next_record(&r, type, &rec)) {
    if (rec.end - rec.at != size || ret->count == DNS_ADDRESSES_MAX) continue;
    struct dns_address *a = &ret->addresses[ret->count++];
    a->n = size;
    memcpy(a->octets, packet.p + rec.at, size);
  }
  return ret->count ? DNS_FOUND : r.bad ? DNS_LATER : DNS_NONE;
}

/* Inserts by priority, after equal ones; if there are too many, the last in the order of trial is
 * dropped. */
static void add_host(struct dns_answer *a, const struct dns_host *host) {
  size_t at = a->host_count;
  if (at == DNS_HOSTS_MAX && a->hosts[at - 1].priority <= host->priority) return;
  if (at == DNS_HOSTS_MAX)
    at--;
  else
    a->host_count++;
  for (; at > 0 && a->hosts[at - 1].priority > host->priority; at--)
    a->hosts[at] = a->hosts[at - 1];
  a->hosts[at] = *host;
}

/* RFC 2782, RFC 1035 §3.3.9. NAME_FOUL: unusable. */
static enum name_state get_host(struct dns_reader *r, const struct record *rec, enum dns_type type,
                                struct dns_host *ret) {
  size_t behind = r->at;
  r->at = rec->at;
  *ret = (struct dns_host){ .priority = (uint16_t)get_u16(r) };
  if (type == DNS_TYPE_SRV) {
    ret->weight = (uint16_t)get_u16(r);
    ret->port = (uint16_t)get_u16(r);
  }
  enum name_state state = get_name(r, ret->name);
  bool whole = !r->bad && r->at == rec->end;
  r->at = behind;
  r->bad = false; /* the next record begins where this one's length says, whatever this one
                   * contains */
  return whole && (type != DNS_TYPE_SRV || ret->port || state == NAME_ROOT) ? state : NAME_FOUL;
}

enum dns_result dns_packet_hosts(struct slice packet, const char *name, enum dns_type type,
                                 struct dns_answer *ret) {
  struct dns_reader r;
  struct record rec;
  struct dns_host host;
  bool refused = false, foul = false;
  enum dns_result verdict = open_packet(&r, packet, name);
  ret->host_count = 0;
  if (verdict != DNS_FOUND) return verdict;
  while (next_record(&r, type, &rec)) {
    enum name_state state = get_host(&r, &rec, type, &host);
    if (state == NAME_GOOD) add_host(ret, &host);
    refused |= state == NAME_ROOT;
    foul |= state == NAME_FOUL;
  }
  if (ret->host_count) return DNS_FOUND;
  return refused ? DNS_REFUSED : r.bad || foul ? DNS_LATER : DNS_NONE;
}

/* RFC 1035 §3.3.14: strings, each preceded by its length. False: they do not end where the record
 * does. */
static bool get_strings(struct slice all, const struct record *rec, struct buf *text) {
  struct slice rest = slice_first(slice_from(all, rec->at), rec->end - rec->at);
  while (rest.n) {
    size_t n = rest.p[0];
    if (n > rest.n - 1) return false;
    buf_put(text, slice_first(slice_from(rest, 1), n));
    rest = slice_from(rest, 1 + n);
  }
  return !text->failed;
}

static bool get_pointer(struct dns_reader *r, const struct record *rec, struct buf *text) {
  char name[DNS_NAME_MAX + 1];
  size_t behind = r->at;
  r->at = rec->at;
  bool good = get_name(r, name) == NAME_GOOD && !r->bad && r->at == rec->end;
  r->at = behind;
  r->bad = false; /* as in get_host() */
  if (good) buf_put_str(text, name);
  return good && !text->failed;
}

enum dns_result dns_packet_texts(struct slice packet, const char *name, enum dns_type type,
                                 struct dns_answer *ret) {
  struct dns_reader r;
  struct record rec;
  bool foul = false;
  enum dns_result verdict = open_packet(&r, packet, name);
  ret->texts_n = 0;
  if (verdict != DNS_FOUND) return verdict;
  while (next_record(&r, type, &rec)) {
    uint8_t mem[4096];
    struct buf text = { .mem = mem, .cap = sizeof mem, .max = sizeof mem };
    bool good =
        type == DNS_TYPE_TXT ? get_strings(r.all, &rec, &text) : get_pointer(&r, &rec, &text);
    if (good) dns_text_add(ret, buf_slice(&text));
    foul |= !good;
  }
  if (ret->texts_n) return DNS_FOUND;
  return r.bad || foul ? DNS_LATER : DNS_NONE;
}
