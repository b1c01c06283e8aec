/* SPDX-License-Identifier: ISC */
/* The command line taken apart; the table of commands; docs/man/qasid.1 agrees with it. URLs of
 * fetch and send. Run from the root of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/cli/command_line.h"
#include "src/cli/base/terminal.h"
#include "src/cli/base/url.h"

/* Words separated by "|". */
static int parse(struct cli *c, const char *line, char *room, size_t n, struct buf *err) {
  char *argv[64] = { room };
  int argc = 1;
  snprintf(room, n, "qasid|%s", line);
  for (char *p = room; *p; p++)
    if (*p == '|') {
      *p = 0;
      if (p[1]) argv[argc++] = p + 1;
    }
  buf_reset(err);
  return cli_parse(c, argc, argv, err);
}

struct row {
  const char *line;
  int code;
  const char *command; /* or a part of the error */
};

static void lines(void **state) {
  static const struct row rows[] = {
    { "version", 0, "version" },
    { "account|add|a@b", 0, "account add" },
    { "-c|f|account|add|a@b", 0, "account add" },
    { "account|limits|a@b|-c|f|--json", 0, "account limits" },
    { "account|add|a@b|-c|f|--json", 64, "means nothing to account add" },
    { "--config=f|account|add|--legacy-auth|a@b", 0, "account add" },
    { "help|manual", 0, "help manual" },
    { "help|account|add", 0, "help" },
    { "--help", 0, NULL },
    { "account|add|--help", 0, "account add" },
    { "account|list|--|", 0, "account list" },
    { "", 64, "which command" },
    { "acount|add", 64, "there is no command \"acount\"; did you mean \"account\"?" },
    { "-c|f|acount|add", 64, "there is no command \"acount\"; did you mean" },
    { "-c|f|xyzzy", 64, "there is no command \"xyzzy\"; `qasid help` lists them" },
    { "queue|drop|--account|x|--account=y", 64, "--account is given twice" },
    { "account|lst", 64, "there is no command \"account lst\"; did you mean \"account list\"?" },
    { "account|xyzzy", 64,
      "there is no command \"account xyzzy\"; `qasid help account` lists them" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aa",
      64, "there is no command" },
    { "account", 64, "account: which of these?\n  account add " },
    { "-c|f|account", 64, "account delete  " },
    { "--version", 0, "version" },
    { "-V", 0, "version" },
    { "account|add", 64, "something is missing: qasid account add ADDRESS" },
    { "account|add|a|b", 64, "\"b\" is too much" },
    { "account|add|a|--quot|1", 64, "--quot is no option of account add; did you mean --quota?" },
    { "account|add|a|--nonsense", 64, "--nonsense is no option of account add" },
    { "account|add|a|--quota", 64, "--quota needs SIZE behind it" },
    { "account|add|a|--legacy-auth=1", 64, "--legacy-auth takes no value" },
    { "account|add|a|-x", 64, "-x is no option" },
    { "version|--legacy-auth", 64, "no option of version" },
    { "account|add|--|--quota", 0, "account add" },
    { "account|add|-", 0, "account add" },
  };
  struct buf err;
  char room[512];
  buf_init(&err, 4096);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct cli c;
    int code = parse(&c, rows[i].line, room, sizeof room, &err);
    if (code != rows[i].code) fail_msg("%s: %d, not %d", rows[i].line, code, rows[i].code);
    if (code) {
      if (!strstr(buf_cstr(&err), rows[i].command))
        fail_msg("%s: \"%s\"", rows[i].line, buf_cstr(&err));
    } else if (rows[i].command) {
      assert_string_equal(c.command->words, rows[i].command);
    } else {
      assert_null(c.command);
    }
  }
  buf_free(&err);
}

static void values(void **state) {
  struct buf err;
  char room[512];
  struct cli c;
  buf_init(&err, 4096);
  assert_int_equal(parse(&c, "send|smtp://x|--to|a@b|--insecure|--to=c@d|-c|/f|file|--from|", room,
                         sizeof room, &err),
                   64);
  assert_int_equal(parse(&c, "send|smtp://x|--to|a@b|--insecure|--to=c@d|-c|/f|file|--from=", room,
                         sizeof room, &err),
                   0);
  assert_false(c.json);
  assert_string_equal(c.config, "/f");
  assert_true(c.config_named);
  assert_int_equal(c.arg_count, 2);
  assert_string_equal(c.args[1], "file");
  assert_string_equal(cli_given(&c, "from"), "");
  assert_null(cli_given(&c, "subject"));
  size_t at = 0;
  assert_string_equal(cli_given_next(&c, "to", &at), "a@b");
  assert_string_equal(cli_given_next(&c, "to", &at), "c@d");
  assert_null(cli_given_next(&c, "to", &at));
  buf_free(&err);
}

/* A script's unset variable. */
static void empty_argument(void **state) {
  struct buf err;
  struct cli c;
  char words[][16] = { "qasid", "export", "a@b", "" };
  char *argv[] = { words[0], words[1], words[2], words[3], NULL };
  buf_init(&err, 4096);
  assert_int_equal(cli_parse(&c, 4, argv, &err), 64);
  assert_non_null(strstr(buf_cstr(&err), "an argument is empty: qasid export"));
  buf_free(&err);
}

static void which_configuration(void **state) {
  struct buf err;
  char room[512];
  struct cli c;
  buf_init(&err, 4096);
  unsetenv("QASID_CONF");
  setenv("HOME", "/nonexistent", 1);
  parse(&c, "status", room, sizeof room, &err);
  assert_string_equal(c.config, "/etc/qasid/qasid.conf");
  assert_false(c.config_named);
  setenv("QASID_CONF", "/environment", 1);
  parse(&c, "status", room, sizeof room, &err);
  assert_string_equal(c.config, "/environment");
  parse(&c, "status|-c|/option", room, sizeof room, &err);
  assert_string_equal(c.config, "/option");
  unsetenv("QASID_CONF");
  buf_free(&err);
}

/* Words are unique, every row has its texts, options end, and no option hides a common one. */
static void the_table(void **state) {
  for (size_t i = 0; i < cli_command_count; i++) {
    const struct cmd *c = &cli_commands[i];
    assert_non_null(c->run);
    assert_true(c->brief && *c->brief && c->least <= c->most);
    for (size_t k = 0; k < i; k++) assert_string_not_equal(c->words, cli_commands[k].words);
    for (const struct cmd_option *o = c->options; o && o->name; o++) {
      assert_true(o->text && *o->text);
      for (const struct cmd_option *common = cmd_common_options; common->name; common++)
        assert_string_not_equal(o->name, common->name);
    }
  }
}

/* `qasid help` fits: no line is wider than 88 columns, and what explains begins in one column. */
static void overview_fits(void **state) {
  struct buf out;
  buf_init(&out, 256 * 1024);
  cli_overview(&out);
  struct slice rest = buf_slice(&out);
  while (rest.p) {
    struct slice line = slice_split(&rest, '\n');
    if (line.n > 88) fail_msg("%.*s", SLICE_ARG(line));
    if (line.n > 30 && line.p[0] == ' ' && (line.p[29] != ' ' || line.p[30] == ' '))
      fail_msg("%.*s", SLICE_ARG(line));
  }
  buf_free(&out);
}

static void manual_agrees(void **state) {
  static char text[256 * 1024];
  struct buf out;
  buf_init(&out, sizeof text);
  cli_manual(&out);
  FILE *f = fopen("docs/man/qasid.1", "r");
  assert_non_null(f);
  size_t n = fread(text, 1, sizeof text, f);
  fclose(f);
  bool same = slice_eq(slice_of(text, n), buf_slice(&out));
  buf_free(&out);
  if (!same) fail_msg("docs/man/qasid.1 is not what `qasid help manual` prints");
}

static void safe_text(void **state) {
  static const struct {
    struct slice in;
    const char *out;
  } rows[] = {
    { { (const uint8_t *)"plain", 5 }, "plain" },
    { { (const uint8_t *)"\033[31m\r\n\0", 8 }, "\\x1b[31m\\x0d\\x0a\\x00" },
    { { (const uint8_t *)"\xc9\x99zi\xc5\x9f", 6 }, "\xc9\x99zi\xc5\x9f" },
    { { (const uint8_t *)"\xc2\x9b"
                         "2J",
        4 },
      "\\xc2\\x9b2J" }, /* CSI as C1 */
    /* overlong, surrogate */
    { { (const uint8_t *)"\xc0\xaf\xed\xa0\x80", 5 }, "\\xc0\\xaf\\xed\\xa0\\x80" },
    { { (const uint8_t *)"\xf0\x9f\x93", 3 }, "\\xf0\\x9f\\x93" },
    { { (const uint8_t *)"\xf0\x9f\x93\xa7", 4 }, "\xf0\x9f\x93\xa7" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out;
    buf_init(&out, 4096);
    text_put_safe(&out, rows[i].in);
    assert_string_equal(buf_cstr(&out), rows[i].out);
    buf_free(&out);
  }
}

static void urls(void **state) {
  static const struct {
    const char *text, *user, *host; /* host NULL: refused */
    unsigned port;
    bool tls;
  } rows[] = {
    { "pop3://mail.example.org", "", "mail.example.org", 110, false },
    { "pop3s://you@example.org@mail.example.org/", "you@example.org", "mail.example.org", 995,
      true },
    { "pop3s://you%40example.org@mail.example.org:2995", "you@example.org", "mail.example.org",
      2995, true },
    { "pop3://u@[::1]:2110", "u", "::1", 2110, false },
    { "pop3://u@[::1]", "u", "::1", 110, false },
    { "pop3://u:secret@host", NULL, NULL, 0, false },
    { "pop3://host:0", NULL, NULL, 0, false },
    { "pop3://host:65536", NULL, NULL, 0, false },
    { "pop3://", NULL, NULL, 0, false },
    { "pop3ss://host", NULL, NULL, 0, false },
    { "s://host", NULL, NULL, 0, false },
    { "://host", NULL, NULL, 0, false },
    { "smtp://host", NULL, NULL, 0, false },
    { "pop3://u%4@host", NULL, NULL, 0, false },
    { "pop3://u%0d%0aDELE@host", NULL, NULL, 0, false },
    { "pop3://u@ho st", NULL, NULL, 0, false },
    { "pop3://[::1", NULL, NULL, 0, false },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct url u;
    struct buf err;
    buf_init(&err, 1024);
    bool ok = url_parse(rows[i].text, "pop3", 110, 995, &u, &err);
    if (ok != (rows[i].host != NULL))
      fail_msg("%s: %s", rows[i].text, ok ? "taken" : buf_cstr(&err));
    assert_int_equal(ok, buf_len(&err) == 0);
    if (ok) {
      assert_string_equal(u.user, rows[i].user);
      assert_string_equal(u.host, rows[i].host);
      assert_int_equal(u.port, rows[i].port);
      assert_int_equal(u.tls, rows[i].tls);
    }
    buf_free(&err);
  }
}

static void loopbacks(void **state) {
  static const struct {
    const char *host;
    bool localhost, loopback;
  } rows[] = {
    { "localhost", true, true },
    { "LocalHost.", true, true },
    { "mail.localhost", true, true },
    { "127.0.0.1", false, true },
    { "127.9.8.7", false, true },
    { "::1", false, true },
    { "127.example.org", false, false },
    { "notlocalhost", false, false },
    { "localhost.example.org", false, false },
    { "128.0.0.1", false, false },
    { "::2", false, false },
    { "", false, false },
    { ".", false, false },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (url_is_localhost(rows[i].host) != rows[i].localhost)
      fail_msg("localhost: %s", rows[i].host);
    if (url_is_loopback(rows[i].host) != rows[i].loopback) fail_msg("loopback: %s", rows[i].host);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines),          cmocka_unit_test(values),
    cmocka_unit_test(empty_argument), cmocka_unit_test(which_configuration),
    cmocka_unit_test(the_table),      cmocka_unit_test(manual_agrees),
    cmocka_unit_test(safe_text),      cmocka_unit_test(urls),
    cmocka_unit_test(loopbacks),      cmocka_unit_test(overview_fits),
  };
  return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
