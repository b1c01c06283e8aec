/* SPDX-License-Identifier: ISC */
/* account collect …: mail that the server itself fetches from other servers. auth keeps the
 * list. */
#include <stdio.h>

#include "conf/conf.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"
#include "src/cli/base/secret.h"
#include "src/cli/base/url.h"

enum { ADD_WORDS = 12 };

/* The words of auth's `collect add`, besides its secret. */
struct wish {
  struct url url;
  char port[8], every[24], leave[24];
  const char *tls, *discover, *mechanism;
};

static int take_span(const char *what, const char *text, char *to, size_t n) {
  uint64_t s;
  if (!conf_parse_time(slice_str(text), &s))
    return cli_fail(CLI_EXIT_USAGE, "--%s %s: a time such as 15m, 6h, 14d is meant", what, text);
  snprintf(to, n, "%llu", (unsigned long long)s);
  return CLI_EXIT_OK;
}

static int take_fate(const struct cli *c, struct wish *w) {
  const char *after = cli_given(c, "delete-after");
  bool keep = cli_given(c, "keep") != NULL, delete = cli_given(c, "delete") != NULL;
  if (keep + delete + (after != NULL) > 1)
    return cli_fail(CLI_EXIT_USAGE, "--keep, --delete and --delete-after are alternatives");
  snprintf(w->leave, sizeof w->leave, "%s", delete ? "0" : "-");
  return after ? take_span("delete-after", after, w->leave, sizeof w->leave) : CLI_EXIT_OK;
}

static int take_url(const struct cli *c, struct wish *w) {
  struct buf err;
  buf_init(&err, 512);
  bool ok = url_parse(c->args[1], "pop3", 110, 995, &w->url, &err);
  int code = ok ? CLI_EXIT_OK : cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  if (code == CLI_EXIT_OK && !w->url.user[0])
    code = cli_fail(CLI_EXIT_USAGE, "the URL names no user: pop3s://USER@HOST is meant");
  if (code == CLI_EXIT_OK && w->url.tls && cli_given(c, "no-tls"))
    code = cli_fail(CLI_EXIT_USAGE, "pop3s:// is TLS from the first octet; --no-tls needs pop3://");
  w->tls = w->url.tls ? "implicit" : cli_given(c, "no-tls") ? "none" : "started";
  w->discover = cli_given(c, "discover") ? "yes" : "no";
  w->mechanism = cli_given(c, "auth") ? cli_given(c, "auth") : "-";
  snprintf(w->port, sizeof w->port, "%u", w->url.port);
  return code;
}

static int ask_auth(struct cli *c, const struct slice *words, size_t n) {
  const struct conf *conf = cli_conf(c);
  if (!conf) return CLI_EXIT_CONFIG;
  if (!conf->collect)
    fprintf(stderr,
            "qasid: the option collect is \"no\": nothing is collected until it is \"yes\"\n");
  return ask_print(c, ROLE_AUTH, words, n);
}

int cmd_collect_add(struct cli *c) {
  struct wish w = { .tls = NULL };
  struct buf secret;
  const char *every = cli_given(c, "every");
  int code = take_url(c, &w);
  if (code == CLI_EXIT_OK) code = take_fate(c, &w);
  if (code == CLI_EXIT_OK)
    code = take_span("every", every ? every : "15m", w.every, sizeof w.every);
  if (code != CLI_EXIT_OK) return code;
  buf_init(&secret, SECRET_MAX);
  code = secret_get(c, "Password at the other server: ", false, &secret);
  if (code == CLI_EXIT_OK) {
    const struct slice words[ADD_WORDS] = {
      SLICE("collect"),       SLICE("add"),       slice_str(c->args[0]), slice_str(w.url.host),
      slice_str(w.port),      slice_str(w.tls),   slice_str(w.discover), slice_str(w.url.user),
      slice_str(w.mechanism), slice_str(w.every), slice_str(w.leave),    buf_slice(&secret),
    };
    code = ask_auth(c, words, ADD_WORDS);
  }
  buf_wipe(&secret);
  return code;
}

int cmd_collect_password(struct cli *c) {
  struct buf secret;
  buf_init(&secret, SECRET_MAX);
  int code = secret_get(c, "New password at the other server: ", false, &secret);
  if (code == CLI_EXIT_OK) {
    const struct slice words[] = { SLICE("collect"), SLICE("password"), slice_str(c->args[0]),
                                   buf_slice(&secret) };
    code = ask_auth(c, words, 4);
  }
  buf_wipe(&secret);
  return code;
}

/* "account collect pause 3" → "collect pause 3" */
int cmd_collect(struct cli *c) {
  struct slice words[CLI_WORDS_MAX];
  size_t n = ask_words(c, words);
  return ask_auth(c, words + 1, n - 1);
}
