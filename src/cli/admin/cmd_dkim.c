/* SPDX-License-Identifier: ISC */
/* `qasid dkim …`: shows DKIM keys and replaces them in steps that invalidate no signature in
 * transit. The keys process makes and keeps the keys; only their public parts come here. */
#include "src/cli/admin/commands.h"
#include "src/cli/admin/dkim.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/cli/base/dns.h"

/* --- asking keys --- */

static int ask_keys(struct cli *c, const char *word, const char *domain, bool forced,
                    struct table *t) {
  struct slice words[4] = { SLICE("dkim"), slice_str(word) };
  struct buf folded;
  size_t n = 2;
  buf_init(&folded, 1024);
  if (domain) {
    buf_put_lower(&folded, slice_str(domain));
    words[n++] = buf_slice(&folded);
  }
  if (forced) words[n++] = SLICE("--force");
  int code = folded.failed ? cli_fail(CLI_EXIT_USAGE, "that is not a domain name")
                           : ask_table(c, ROLE_KEYS, words, n, t, NULL);
  buf_free(&folded);
  return code;
}

/* A command without rows. */
static int order(struct cli *c, const char *word, const char *domain, bool forced) {
  struct table none;
  table_init(&none);
  int code = ask_keys(c, word, domain, forced, &none);
  table_free(&none);
  return code;
}

int dkim_rows(struct cli *c, const char *domain, struct table *t) {
  table_init(t);
  return ask_keys(c, "list", domain, false, t);
}

int dkim_make(struct cli *c, const char *domain, struct table *t) {
  int code = order(c, "make", domain, false);
  if (code == CLI_EXIT_OK) return dkim_rows(c, domain, t);
  table_init(t);
  return code;
}

int dkim_forget(struct cli *c, const char *domain) { return order(c, "forget", domain, false); }

/* --- showing --- */

void dkim_print_records(const struct table *t, const char *state, const char *indent) {
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct buf line;
    if (state && !slice_eq(table_cell(t, r, "state"), slice_str(state))) continue;
    buf_init(&line, 4096);
    dkim_zone_line(table_cell(t, r, "name"), table_cell(t, r, "record"), &line);
    printf("%s%.*s\n", indent, SLICE_ARG(buf_slice(&line)));
    buf_free(&line);
  }
}

int cmd_dkim_list(struct cli *c) {
  struct table t;
  int code = dkim_rows(c, c->arg_count ? c->args[0] : NULL, &t);
  if (cli_given(c, "records")) {
    dkim_print_records(&t, NULL, "");
  } else if (t.column_count) {
    t.column_count -= !c->json; /* the record is too wide for a line; --records prints it */
    table_print(&t, c->json);
  }
  table_free(&t);
  return code;
}

/* --- what DNS has --- */

/* The value of a tag of a record (RFC 6376 §3.2), without inner blanks. */
static void tag_value(struct slice record, char tag, struct buf *value) {
  while (record.n) {
    struct slice part = slice_split(&record, ';'), name;
    name = slice_trim(slice_split(&part, '='));
    if (name.n != 1 || name.p[0] != (uint8_t)tag) continue;
    for (size_t i = 0; i < part.n; i++)
      if (part.p[i] > ' ') buf_put_u8(value, part.p[i]);
    return;
  }
}

bool dkim_same_key(struct slice found, struct slice wanted) {
  struct buf a, b;
  buf_init(&a, 4096), buf_init(&b, 4096);
  tag_value(found, 'p', &a), tag_value(wanted, 'p', &b);
  bool same = buf_len(&a) && slice_eq(buf_slice(&a), buf_slice(&b));
  buf_free(&a), buf_free(&b);
  return same;
}

static bool is_published(const struct dns_settings *settings, struct slice name,
                         struct slice record) {
  char asked[DNS_NAME_MAX + 1] = "";
  struct dns_answer *a = calloc(1, sizeof *a);
  struct slice text;
  bool good = false;
  memcpy(asked, name.p, name.n < DNS_NAME_MAX ? name.n : DNS_NAME_MAX);
  if (a && cli_dns_ask(settings, asked, DNS_TXT, a) == CLI_EXIT_OK)
    for (size_t at = 0; !good && dns_text_next(a, &at, &text);) good = dkim_same_key(text, record);
  free(a);
  return good;
}

/* True if DNS, as seen from this server, has all records of the next keys. */
static bool next_are_published(struct cli *c, const struct table *t) {
  struct dns_settings settings;
  bool all = cli_dns_settings(c, &settings);
  for (const struct table_row *r = t->first; all && r; r = r->next)
    if (slice_eq(table_cell(t, r, "state"), SLICE("next")))
      all = is_published(&settings, table_cell(t, r, "name"), table_cell(t, r, "record"));
  return all;
}

/* --- replacing --- */

static size_t count_state(const struct table *t, const char *state) {
  size_t n = 0;
  for (const struct table_row *r = t->first; r; r = r->next)
    n += slice_eq(table_cell(t, r, "state"), slice_str(state));
  return n;
}

/* The domain's keys; creates first ones, or next ones, if missing. */
static int make_missing(struct cli *c, const char *domain, struct table *t, bool *ret_first,
                        bool *ret_made) {
  int code = dkim_rows(c, domain, t);
  *ret_first = code == CLI_EXIT_OK && !t->row_count;
  *ret_made = code == CLI_EXIT_OK && !count_state(t, "next");
  if (!*ret_made) return code;
  table_free(t);
  return dkim_make(c, domain, t);
}

/* --json: the keys after this step, as in dkim list. */
static int print_keys(struct cli *c, const char *domain) {
  struct table t;
  int code = dkim_rows(c, domain, &t);
  if (code == CLI_EXIT_OK) table_print(&t, true);
  table_free(&t);
  return code;
}

static int switch_keys(struct cli *c, const char *domain) {
  int code = order(c, "switch", domain, false);
  if (code == CLI_EXIT_OK && !c->json)
    printf("%s: mail is signed with the new keys from now on. Leave the records of the old ones in "
           "DNS until `qasid dkim retire %s`, "
           "a week from now.\n",
           domain, domain);
  return code;
}

/* Not yet: prints what is to be published, and the next step. */
static int wait_for_dns(const struct cli *c, const struct table *t, const char *domain) {
  if (c->json) return CLI_EXIT_TEMPORARY;
  printf("Publish these records:\n");
  dkim_print_records(t, "next", "  ");
  printf("and say `qasid dkim rotate %s` again once every name server of the domain has them. "
         "Until then the present keys sign.\n",
         domain);
  return CLI_EXIT_TEMPORARY;
}

int cmd_dkim_rotate(struct cli *c) {
  const char *domain = c->args[0];
  bool first = false, made = false;
  struct table t;
  int code = make_missing(c, domain, &t, &first, &made);
  bool known = code == CLI_EXIT_OK;
  if (code == CLI_EXIT_OK && first && !c->json) {
    printf("%s has its first keys, and its mail is signed from now on. Publish these records:\n",
           domain);
    dkim_print_records(&t, "current", "  ");
  } else if (code == CLI_EXIT_OK && !first) {
    /* Records made just now cannot have been published, and a premature query makes name servers
     * cache the negative answer. */
    bool there = cli_given(c, "confirmed") || (!made && next_are_published(c, &t));
    code = there ? switch_keys(c, domain) : wait_for_dns(c, &t, domain);
  }
  table_free(&t);
  if (!c->json || !known) return code;
  int shown = print_keys(c, domain);
  return shown == CLI_EXIT_OK ? code : shown;
}

int cmd_dkim_retire(struct cli *c) {
  int code = order(c, "retire", c->args[0], cli_given(c, "force") != NULL);
  if (code == CLI_EXIT_OK) printf("%s: the records of the old keys can go from DNS.\n", c->args[0]);
  return code;
}
