/* SPDX-License-Identifier: ISC */
/* DNS for the command line: queried directly, not through a server's resolver. */
#include "src/cli/base/dns.h"

#include <unistd.h>

bool cli_dns_settings(struct cli *c, struct dns_settings *ret) {
  *ret = (struct dns_settings){ 0 };
  if (!c->config_named && access(c->config, R_OK) != 0) return true;
  const struct conf *conf = cli_conf(c);
  if (!conf) return false;
  *ret = (struct dns_settings){ .servers = conf->dns_servers.items,
                                .server_count = conf->dns_servers.count,
                                .trust_anchor = conf->dns_trust_anchor,
                                .timeout_ms = (unsigned)conf->dns_timeout * 1000 };
  return true;
}

int cli_dns_code(const struct dns_answer *a) {
  static const int codes[DNS_RESULTS] = {
    [DNS_FOUND] = CLI_EXIT_OK,          [DNS_NONE] = CLI_EXIT_NOT_FOUND,
    [DNS_REFUSED] = CLI_EXIT_NOT_FOUND, [DNS_NO_NAME] = CLI_EXIT_NOT_FOUND,
    [DNS_LATER] = CLI_EXIT_TEMPORARY,   [DNS_BOGUS] = CLI_EXIT_PROTOCOL,
    [DNS_BAD_NAME] = CLI_EXIT_USAGE,
  };
  return codes[a->result];
}

int cli_dns_ask(const struct dns_settings *settings, const char *name, enum dns_kind kind,
                struct dns_answer *ret) {
  struct buf err;
  int code = CLI_EXIT_OK;
  buf_init(&err, 1024);
  if (!dns_lookup(settings, slice_str(name), kind, ret, &err))
    code = cli_fail(CLI_EXIT_CONFIG, "%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  return code;
}
