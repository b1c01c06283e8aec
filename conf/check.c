/* SPDX-License-Identifier: ISC */
/* Checks of a configuration: each value by its kind, range and meaning, then the whole. A mistake
 * is reported as one line: where it is, what is wrong, and what was meant. */
#include "conf/internal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/num.h"
#include "lib/dns/dns.h"
#include "mail/smtp/class.h"

/* struct sockaddr_un's sun_path has 108 octets, the last of them a NUL. */
enum { SOCKET_PATH_MAX = 107, HOSTNAME_MAX = 253, LABEL_MAX = 63 };

void conf_mistake(struct conf_read *r, unsigned line, const char *option, const char *fmt, ...) {
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  r->mistakes++;
  buf_put_str(r->err, r->name);
  if (line) buf_printf(r->err, ":%u", line);
  buf_put_str(r->err, ": ");
  if (option) buf_printf(r->err, "%s: ", option);
  buf_printf(r->err, "%s\n", text);
}

/* --- kinds --- */

static bool in_range(struct conf_read *r, const struct conf_option *o, unsigned line, uint64_t n) {
  if (n >= o->least && n <= o->most) return true;
  struct buf range;
  buf_init(&range, 128);
  void (*put)(struct buf *, uint64_t) = o->kind == CONF_KIND_SIZE   ? conf_put_size
                                        : o->kind == CONF_KIND_TIME ? conf_put_time
                                                                    : buf_put_dec;
  put(&range, o->least);
  buf_put_str(&range, " to ");
  put(&range, o->most);
  const char *text = buf_cstr(&range);
  conf_mistake(r, line, o->name, "out of range, it can be %s", text ? text : "less");
  buf_free(&range);
  return false;
}

static bool check_num(struct conf_read *r, const struct conf_option *o, unsigned line,
                      struct slice text) {
  uint64_t n;
  if (num_parse(text, UINT64_MAX, &n)) return in_range(r, o, line, n);
  conf_mistake(r, line, o->name, "\"%.*s\" is not a number; digits alone are meant",
               SLICE_ARG(slice_first(text, 80)));
  return false;
}

static bool check_size(struct conf_read *r, const struct conf_option *o, unsigned line,
                       struct slice text) {
  uint64_t n;
  if (conf_parse_size(text, &n)) return in_range(r, o, line, n);
  conf_mistake(
      r, line, o->name,
      "\"%.*s\" is not a size; octets are meant, or a number with K, M, G or T, such as %s",
      SLICE_ARG(slice_first(text, 80)), o->def);
  return false;
}

static bool check_time(struct conf_read *r, const struct conf_option *o, unsigned line,
                       struct slice text) {
  uint64_t n;
  if (conf_parse_time(text, &n)) return in_range(r, o, line, n);
  conf_mistake(r, line, o->name,
               "\"%.*s\" is not a time; a number with s, m, h or d is meant, such as %s",
               SLICE_ARG(slice_first(text, 80)), o->def);
  return false;
}

static bool check_days(struct conf_read *r, const struct conf_option *o, unsigned line,
                       struct slice text) {
  uint64_t n;
  if (conf_parse_days(text, &n)) return n == CONF_NEVER || in_range(r, o, line, n);
  conf_mistake(r, line, o->name,
               "\"%.*s\" is not a number of days; such a number is meant, or never",
               SLICE_ARG(slice_first(text, 80)));
  return false;
}

static bool check_word(struct conf_read *r, const struct conf_option *o, unsigned line,
                       struct slice text) {
  if (conf_word_place(o->words, text) >= 0) return true;
  conf_mistake(r, line, o->name, "\"%.*s\" is not one of %s", SLICE_ARG(slice_first(text, 80)),
               o->words);
  return false;
}

static bool check_text(struct conf_read *r, const struct conf_option *o, unsigned line,
                       struct slice text) {
  for (size_t i = 0; i < text.n; i++) {
    if (!ascii_is_control(text.p[i])) continue;
    conf_mistake(r, line, o->name, "has a control character (octet %u)", text.p[i]);
    return false;
  }
  if (o->kind == CONF_KIND_LIST || (text.n >= o->least && text.n <= o->most)) return true;
  if (text.n < o->least)
    conf_mistake(r, line, o->name, "is empty");
  else
    conf_mistake(r, line, o->name, "has %zu octets, at most %llu fit", text.n,
                 (unsigned long long)o->most);
  return false;
}

/* --- meanings, by name --- */

/* Letters, digits and hyphens in labels of 1 to 63 octets (RFC 1123 §2.1). */
static bool is_hostname(struct slice text) {
  if (text.n > HOSTNAME_MAX) return false;
  while (text.p) {
    struct slice label = slice_split(&text, '.');
    if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
      return false;
    for (size_t i = 0; i < label.n; i++)
      if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-') return false;
  }
  return true;
}

static const char *wrong_hostname(struct slice text) {
  if (text.n == 0 || is_hostname(text)) return NULL;
  return "is not a host name; letters, digits and hyphens with dots between are meant, such as "
         "\"mail.example.org\"";
}

static const char *wrong_path(struct slice text) {
  return slice_at(text, 0) == '/' ? NULL : "must be a whole path, from / on";
}

static const char *wrong_optional_path(struct slice text) {
  return text.n ? wrong_path(text) : NULL;
}

static const char *wrong_run_dir(struct slice text) {
  if (text.n + sizeof "/control" - 1 > SOCKET_PATH_MAX)
    return "is too long for the path of a socket inside it";
  return wrong_path(text);
}

static const char *wrong_user(struct slice text) {
  for (size_t i = 0; i < text.n; i++) {
    uint8_t c = text.p[i];
    bool ok = (c >= 'a' && c <= 'z') || c == '_' || (i && (ascii_is_digit(c) || c == '-'));
    if (!ok) return "is not a user name; lower-case letters, digits, - and _ are meant";
  }
  return NULL;
}

static const char *wrong_delimiter(struct slice text) {
  for (size_t i = 0; i < text.n; i++)
    if (!memchr("+-_=#&*!~", text.p[i], 9))
      return "can hold + - _ = # & * ! ~ only, not letters, dots or @";
  return NULL;
}

static const char *wrong_listen(struct slice text) {
  struct slice host;
  uint16_t port;
  if (conf_listen_split(text, &host, &port)) return NULL;
  return "is not an address to listen on; \"*:25\", \"192.0.2.1:25\" or \"[2001:db8::1]:25\" is "
         "meant, "
         "in quotes";
}

static const char *wrong_mechanism(struct slice text) {
#define MECHANISM(name, ...) \
  if (slice_caseeq(text, SLICE(name))) return NULL;
#include "mail/sasl/mechanisms.def"
#undef MECHANISM
  return "is not a SASL mechanism known here; \"PLAIN\" or \"SCRAM-SHA-256\" is meant, for "
         "example";
}

static const char *wrong_network(struct slice text) {
  if (conf_is_network(text)) return NULL;
  return "is not a network; \"192.0.2.0/24\", \"2001:db8::/32\" or an address alone is meant";
}

static const char *wrong_server(struct slice text) {
  struct slice ip;
  uint16_t port;
  if (dns_server_parse(text, &ip, &port)) return NULL;
  return "is not a name server; \"192.0.2.53\", \"2001:db8::53\" or one with its port, "
         "\"127.0.0.1@5353\", is meant";
}

static const char *wrong_class(struct slice text) {
  if (smtp_class_rule_is_good(text)) return NULL;
  return "is not a rule for replies; \"CLASS CODE ENHANCED WORDS\" is meant, such as \"rate 421 * "
         "slow down\" (qasid classify shows the classes)";
}

/* "ADDRESS [NAME]" */
static const char *wrong_source(struct slice text) {
  struct slice rest = text, address = slice_split(&rest, ' '), name = slice_trim(rest);
  char host[DNS_NAME_MAX + 1];
  if (conf_is_network(address) && slice_find(address, '/') < 0 &&
      (!name.n || dns_name_check(name, host)))
    return NULL;
  return "is not an address with a name; \"192.0.2.1 mail.example.org\" or \"2001:db8::1\" is "
         "meant";
}

/* An account's address, a domain, or a domain after a dot. */
static bool is_route_selector(struct slice text) {
  struct slice value;
  switch (conf_route_by(text, &value)) {
  case CONF_ROUTE_ACCOUNT: return slice_rfind(value, '@') > 0 && value.p[value.n - 1] != '@';
  case CONF_ROUTE_SENDER: return value.n && slice_find(value, '@') < 0 && value.p[0] != '.';
  default: return value.n > 0;
  }
}

/* "WHICH HOST [tls=…] [login=USER] [lmtp]" */
static const char *wrong_route(struct slice text) {
  static const char *const words[] = { "tls=opportunistic", "tls=required", "tls=verified",
                                       "tls=none",          "tls=implicit", "lmtp" };
  bool good = conf_route_port(text, 25) && is_route_selector(conf_route_word(&text));
  conf_route_word(&text);
  while (good && text.p) {
    struct slice word = conf_route_word(&text);
    good = !word.n || (slice_starts(word, SLICE("login=")) && word.n > sizeof "login=" - 1);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      good |= slice_eq(word, slice_str(words[i]));
  }
  if (good) return NULL;
  return "is not a route; \"DOMAIN|.DOMAIN|account:ADDRESS|from:DOMAIN|* HOST[:PORT] "
         "[tls=opportunistic|required|verified|none|implicit] [login=USER] "
         "[lmtp]\" is meant, such as \"* smtp.example.net:587\"";
}

static const char *wrong_log(struct slice text) {
  if (slice_eq(text, SLICE("stderr")) || slice_eq(text, SLICE("syslog")) || !wrong_path(text))
    return NULL;
  return "is not a place for a log; stderr, syslog or the full name of a file, "
         "/var/log/qasid/qasid.log, is meant";
}

static const char *wrong_anchor(struct slice text) { return text.n ? wrong_path(text) : NULL; }

static const struct meaning {
  const char *option;
  const char *(*wrong)(struct slice text);
} meanings[] = {
  { "hostname", wrong_hostname },
  { "data_dir", wrong_path },
  { "run_dir", wrong_run_dir },
  { "user", wrong_user },
  { "recipient_delimiter", wrong_delimiter },
  { "auth_mechanisms", wrong_mechanism },
  { "tls_certificates", wrong_path },
  { "tls_keys", wrong_path },
  { "oauth_keys", wrong_optional_path },
  { "listen_smtp", wrong_listen },
  { "listen_submission", wrong_listen },
  { "listen_submissions", wrong_listen },
  { "listen_pop3", wrong_listen },
  { "listen_pop3s", wrong_listen },
  { "plaintext_networks", wrong_network },
  { "auth_trusted_networks", wrong_network },
  { "lenient_networks", wrong_network },
  { "dns_servers", wrong_server },
  { "reply_classes", wrong_class },
  { "source_addresses", wrong_source },
  { "routes", wrong_route },
  { "log_to", wrong_log },
  { "dns_trust_anchor", wrong_anchor },
};

static bool is_address(int family, struct slice host) {
  char text[INET6_ADDRSTRLEN];
  struct in6_addr address;
  if (host.n == 0 || host.n >= sizeof text) return false;
  memcpy(text, host.p, host.n);
  text[host.n] = 0;
  return inet_pton(family, text, &address) == 1;
}

bool conf_listen_split(struct slice text, struct slice *ret_host, uint16_t *ret_port) {
  ptrdiff_t colon = slice_rfind(text, ':');
  uint64_t port;
  if (colon < 1 || !num_parse(slice_from(text, (size_t)colon + 1), 65535, &port) || port == 0)
    return false;
  struct slice host = slice_first(text, (size_t)colon);
  if (host.p[0] == '[' && host.p[host.n - 1] == ']') {
    host = slice_first(slice_from(host, 1), host.n - 2);
    if (!is_address(AF_INET6, host)) return false;
  } else if (!slice_eq(host, SLICE("*")) && !is_address(AF_INET, host)) {
    return false;
  }
  *ret_host = host;
  *ret_port = (uint16_t)port;
  return true;
}

static bool check_meaning(struct conf_read *r, const struct conf_option *o, unsigned line,
                          struct slice text) {
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
    if (strcmp(meanings[i].option, o->name) != 0) continue;
    const char *wrong = meanings[i].wrong(text);
    if (!wrong) return true;
    conf_mistake(r, line, o->name, "\"%.*s\" %s", SLICE_ARG(slice_first(text, 120)), wrong);
    return false;
  }
  return true;
}

bool conf_check_value(struct conf_read *r, const struct conf_option *o, unsigned line,
                      struct slice text) {
  switch (o->kind) {
  case CONF_KIND_NUM: return check_num(r, o, line, text);
  case CONF_KIND_SIZE: return check_size(r, o, line, text);
  case CONF_KIND_TIME: return check_time(r, o, line, text);
  case CONF_KIND_DAYS: return check_days(r, o, line, text);
  case CONF_KIND_WORD:
  case CONF_KIND_FLAG: return check_word(r, o, line, text);
  case CONF_KIND_TEXT:
  case CONF_KIND_LIST: break;
  }
  return check_text(r, o, line, text) && check_meaning(r, o, line, text);
}

/* --- the whole --- */

static const struct conf_option *option_named(const char *name) {
  for (size_t i = 0; i < conf_option_count; i++)
    if (strcmp(conf_options[i].name, name) == 0) return &conf_options[i];
  return NULL;
}

static unsigned line_of(const struct conf_read *r, const char *name) {
  const struct conf_option *o = option_named(name);
  return o ? r->lines[conf_place(o)] : 0;
}

static const struct conf_list *list_of(const struct conf *c, const struct conf_option *o) {
  return (const struct conf_list *)((const char *)c + o->offset);
}

static bool is_listener(const struct conf_option *o) {
  return slice_starts(slice_str(o->name), SLICE("listen_"));
}

/* The same address twice, in one option or in two. The second one cannot be bound. */
static void check_listeners(struct conf_read *r, const struct conf *c) {
  const struct conf_option *named[64];
  const char *seen[64];
  size_t count = 0;
  for (size_t i = 0; i < conf_option_count; i++) {
    if (!is_listener(&conf_options[i])) continue;
    const struct conf_list *list = list_of(c, &conf_options[i]);
    for (size_t j = 0; j < list->count; j++) {
      for (size_t k = 0; k < count; k++)
        if (strcmp(seen[k], list->items[j]) == 0)
          conf_mistake(r, r->lines[i], conf_options[i].name, "\"%s\" is listened on already, by %s",
                       seen[k], named[k]->name);
      if (count == 64) {
        conf_mistake(r, r->lines[i], conf_options[i].name,
                     "there are more than 64 addresses to listen on");
        return;
      }
      named[count] = &conf_options[i];
      seen[count++] = list->items[j];
    }
  }
}

/* The collector is restricted to these; each must be a port. */
static void check_collect_ports(struct conf_read *r, const struct conf *c) {
  uint64_t port;
  unsigned line = line_of(r, "collect_ports");
  if (c->collect_ports.count > CONF_DIALS_MAX)
    conf_mistake(r, line, "collect_ports", "has %zu ports, at most %d can be held to",
                 c->collect_ports.count, CONF_DIALS_MAX);
  for (size_t i = 0; i < c->collect_ports.count; i++)
    if (!num_parse(slice_str(c->collect_ports.items[i]), 65535, &port) || !port)
      conf_mistake(r, line, "collect_ports", "\"%s\" is not a port: a number from 1 to 65535 is",
                   c->collect_ports.items[i]);
}

/* The sender is restricted to these; mail for any other port would wait until it expires. */
static void check_route_ports(struct conf_read *r, const struct conf *c) {
  uint16_t ports[CONF_DIALS_MAX];
  size_t n = conf_route_ports(c, ports);
  if (n <= CONF_DIALS_MAX) return;
  n -= CONF_DIALS_MAX;
  conf_mistake(r, line_of(r, "routes"), "routes",
               "no. %zu (\"%s\") has a port beyond the %d different ones that mail can be sent to, "
               "remote_port among them; let some of the hosts listen at the same port",
               n, c->routes.items[n - 1], CONF_DIALS_MAX);
}

/* Two lines with the same selector would be ambiguous. */
static void check_routes(struct conf_read *r, const struct conf *c) {
  for (size_t i = 0; i < c->routes.count; i++) {
    size_t first = conf_route_double(&c->routes, i);
    if (!c->route_passwords[0] && conf_route_login(slice_str(c->routes.items[i])).n)
      conf_mistake(r, line_of(r, "routes"), "routes",
                   "no. %zu (\"%s\") names a login, and there is no file of route_passwords", i + 1,
                   c->routes.items[i]);
    if (first)
      conf_mistake(r, line_of(r, "routes"), "routes",
                   "no. %zu (\"%s\") is for the same mail as no. %zu (\"%s\")", i + 1,
                   c->routes.items[i], first, c->routes.items[first - 1]);
  }
}

void conf_check_whole(struct conf_read *r, const struct conf *c) {
  if (c->tls_keys.count != c->tls_certificates.count)
    conf_mistake(
        r, line_of(r, "tls_keys"), "tls_keys",
        "has %zu files, tls_certificates has %zu; each certificate has its key at the same place",
        c->tls_keys.count, c->tls_certificates.count);
  if (c->smtp_session_time < c->smtp_command_timeout)
    conf_mistake(r, line_of(r, "smtp_session_time"), "smtp_session_time",
                 "is shorter than smtp_command_timeout, which then never runs out");
  if (c->dns_servers.count > DNS_SERVERS_MAX)
    conf_mistake(r, line_of(r, "dns_servers"), "dns_servers",
                 "has %zu servers, at most %d are asked", c->dns_servers.count, DNS_SERVERS_MAX);
  if (c->oauth_keys[0] && (!c->oauth_issuer[0] || !c->oauth_audience[0]))
    conf_mistake(
        r, line_of(r, "oauth_keys"), "oauth_keys",
        "needs oauth_issuer and oauth_audience: else anybody's token for anything would do");
  check_collect_ports(r, c);
  check_routes(r, c);
  check_route_ports(r, c);
  check_listeners(r, c);
}
