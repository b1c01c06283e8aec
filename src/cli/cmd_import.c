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
  int code = CLI_EXIT_OK;
  if (importer_begin(&x, c, c->args[0], &code)) {
    while (mailbox_in_next(in, &m, err) &&
           importer_put(&x, m.raw, m.unquote ? IMPORTER_MBOX : IMPORTER_FILE, &m.meta)) {
    }
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
  struct mailbox_in *in = mailbox_in_open(c->args[1], cli_given(c, "uidl"), &err);
  if (in)
    code = import(c, in, &err);
  else
    cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&err)));
  mailbox_in_free(&in);
  buf_free(&err);
  return code;
}
