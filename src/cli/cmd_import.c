/* `qasid import`: a mailbox in files, to an account. */
#include <stdio.h>

#include "src/cli/importer.h"

static void report(const struct cli *c, const struct importer *x) {
  if (c->json) {
    printf("{");
    for (size_t i = 0; i < IMPORTER_OUTCOMES; i++)
      printf("%s\"%s\": %llu", i ? ", " : "", importer_words[i], (unsigned long long)x->counts[i]);
    printf("}\n");
    return;
  }
  printf("%llu message%s added", (unsigned long long)x->counts[0], x->counts[0] == 1 ? "" : "s");
  for (size_t i = 1; i < IMPORTER_OUTCOMES; i++)
    if (x->counts[i]) printf(", %llu %s", (unsigned long long)x->counts[i], importer_words[i]);
  printf("\n");
}

static int import(struct cli *c, struct mailbox_in *in, struct buf *err) {
  struct importer x;
  struct mail_item m;
  uint64_t with = 0, without = 0;
  int code = CLI_EXIT_OK;
  if (importer_begin(&x, c, c->args[0], &code)) {
    while (mailbox_in_next(in, &m, err) &&
           importer_put(&x, m.raw, m.unquote ? IMPORTER_MBOX : IMPORTER_FILE, &m.meta))
      *(m.meta.uidl.n ? &with : &without) += 1;
    if (without && (with || cli_given(c, "uidl-from")))
      fprintf(stderr, "note: %llu of them had no UIDL there: clients will fetch those once\n",
              (unsigned long long)without);
    code = importer_end(&x);
    if (buf_len(err)) code = cli_fail(CLI_EXIT_DATA, "%.*s", SLICE_ARG(buf_slice(err)));
    report(c, &x);
  }
  importer_free(&x);
  return code;
}

int cmd_import(struct cli *c) {
  struct buf err;
  buf_init(&err, 4096);
  int code = CLI_EXIT_NO_INPUT;
  struct mailbox_uidls uidls = { cli_given(c, "uidl"), cli_given(c, "uidl-from") };
  if (uidls.file && uidls.from)
    return cli_fail(CLI_EXIT_USAGE, "--uidl and --uidl-from are two ways; choose one");
  struct mailbox_in *in = mailbox_in_open(c->args[1], &uidls, &err);
  if (in)
    code = import(c, in, &err);
  else
    cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&err)));
  mailbox_in_free(&in);
  buf_free(&err);
  return code;
}
