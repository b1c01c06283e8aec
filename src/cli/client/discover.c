/* SPDX-License-Identifier: ISC */
/* Finds the POP3 servers of an address's domain by SRV records (discover.h, RFC 6186). Invariant: a
 * host outside the domain is used only if DNSSEC proves the answer, the command line names the
 * host, or the user at the terminal agrees. */
#include "src/cli/client/discover.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/cli/base/terminal.h"

/* `host` is the domain or below it. */
static bool discover_is_within(struct slice host, struct slice domain) {
  if (host.n < domain.n || !slice_caseeq(slice_from(host, host.n - domain.n), domain)) return false;
  return host.n == domain.n || slice_at(host, host.n - domain.n - 1) == '.';
}

/* A forged answer would name the attacker's host, which has a valid certificate for its name. */
static bool may_go_to(struct cli *c, const struct dns_answer *a, const char *host,
                      const char *domain) {
  const char *named = cli_given(c, "server");
  char question[700];
  if (a->secure || discover_is_within(slice_str(host), slice_str(domain))) return true;
  if (named) return strcasecmp(named, host) == 0;
  snprintf(question, sizeof question, "DNS says that mail of %s is fetched from %s. Log in there?",
           domain, host);
  return ask_yes(question);
}

static int no_host(const char *domain, const char *refused) {
  return cli_fail(CLI_EXIT_REFUSED,
                  "DNS says that mail of %s is fetched from %s, which is outside of it; --server "
                  "%s says that this "
                  "is right",
                  domain, refused, refused);
}

/* Leaves out the hosts that may not be used. */
static int leave_out_hosts(struct cli *c, struct dns_answer *a, const char *domain) {
  char refused[DNS_NAME_MAX + 1] = "";
  uint8_t kept = 0;
  for (uint8_t i = 0; i < a->host_count; i++) {
    struct dns_host *h = &a->hosts[i];
    bool asked_before = refused[0] && strcmp(refused, h->name) == 0;
    if (h->address_count == 0) continue;
    if (!asked_before && may_go_to(c, a, h->name, domain))
      a->hosts[kept++] = *h;
    else if (!asked_before)
      snprintf(refused, sizeof refused, "%s", h->name);
  }
  a->host_count = kept;
  if (kept) return CLI_EXIT_OK;
  return refused[0] ? no_host(domain, refused)
                    : cli_fail(CLI_EXIT_TEMPORARY, "the hosts of %s have no addresses now", domain);
}

/* True when the search is over: found, or DNS does not answer. */
static bool look(struct cli *c, const struct dns_settings *settings, const char *service,
                 const char *domain, struct dns_answer *a, int *ret_code) {
  char name[DNS_NAME_MAX + 32];
  struct buf err;
  buf_init(&err, 512);
  snprintf(name, sizeof name, "%s.%s", service, domain);
  *ret_code = CLI_EXIT_NOT_FOUND;
  bool asked = dns_lookup(settings, slice_str(name), DNS_SRV, a, &err);
  if (!asked)
    *ret_code = cli_fail(CLI_EXIT_UNAVAILABLE, "DNS: %.*s", SLICE_ARG(buf_slice(&err)));
  else if (a->result == DNS_FOUND)
    *ret_code = leave_out_hosts(c, a, domain);
  else if (a->result == DNS_LATER || a->result == DNS_BOGUS || a->result == DNS_BAD_NAME)
    *ret_code = cli_fail(cli_dns_code(a), "%s: %s%s%s", name, dns_result_name(a->result),
                         a->why[0] ? ": " : "", a->why);
  buf_free(&err);
  return *ret_code != CLI_EXIT_NOT_FOUND;
}

int discover_pop3(struct cli *c, const char *address, struct discovered *ret) {
  const char *at = strrchr(address, '@'), *domain = at ? at + 1 : "";
  struct dns_settings settings;
  int code = CLI_EXIT_NOT_FOUND;
  if (!*domain || at == address || strlen(domain) > DNS_NAME_MAX)
    return cli_fail(CLI_EXIT_USAGE, "%s is neither a URL nor an address", address);
  if (!cli_dns_settings(c, &settings)) return CLI_EXIT_CONFIG;
  ret->tls = true;
  if (look(c, &settings, "_pop3s._tcp", domain, &ret->answer, &code)) return code;
  ret->tls = false;
  if (look(c, &settings, "_pop3._tcp", domain, &ret->answer, &code)) return code;
  return cli_fail(CLI_EXIT_NOT_FOUND,
                  ret->answer.result == DNS_REFUSED
                      ? "%s says in DNS that its mail is not fetched by POP3"
                      : "%s does not say in DNS where its mail is fetched; name the server: "
                        "pop3s://USER@HOST",
                  domain);
}
