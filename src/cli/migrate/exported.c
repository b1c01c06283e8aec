/* SPDX-License-Identifier: ISC */
/* Reads an account's messages from the store's `export` and computes size, lines and SHA-256 of
 * each (exported.h). One message at a time, as a running digest; its octets are not kept. */
#include "src/cli/migrate/exported.h"

#include "lib/base/num.h"
#include "src/cli/link/link.h"

struct export_reading {
  void (*each)(void *arg, const struct exported *e);
  void *arg;
  struct digest_run *run; /* NULL: between messages */
  struct exported message;
};

/* The current message is complete. */
static void ended(struct export_reading *r) {
  uint8_t digest[DIGEST_MAX];
  if (!r->run || !digest_end(&r->run, digest)) return;
  memcpy(r->message.digest, digest, sizeof r->message.digest);
  r->each(r->arg, &r->message);
}

/* uid, size, …: ipc/cli_process.h, "export". */
static bool begun(struct export_reading *r, struct slice values) {
  struct slice uid, size;
  uint64_t number;
  uint8_t unused[DIGEST_MAX];
  if (!ipc_list_next(&values, &uid) || !ipc_list_next(&values, &size) ||
      !num_parse(uid, UINT32_MAX, &number))
    return false;
  if (slice_eq(size, SLICE("unreadable"))) {
    digest_end(&r->run, unused);
    return true;
  }
  ended(r);
  r->message = (struct exported){ .uid = (uint32_t)number };
  r->run = digest_begin(DIGEST_SHA256);
  return r->run != NULL;
}

static void more(struct export_reading *r, struct slice octets) {
  digest_put(r->run, octets);
  r->message.size += octets.n;
  for (ptrdiff_t at; (at = slice_find(octets, '\n')) >= 0;
       octets = slice_from(octets, (size_t)at + 1))
    r->message.lines++;
}

static int read_all(struct export_reading *r, struct cli_link *l, const char *address) {
  struct slice words[] = { SLICE("export"), slice_str(address) };
  struct link_reply reply = { LINK_LOST, SLICE("the store did not accept the command"),
                              CLI_TROUBLE };
  bool ok = true, going = link_ask(l, words, 2);
  while (ok && going) {
    enum link_event event = link_next(l, &reply);
    if (event == LINK_OUTPUT) ok = r->run != NULL;
    if (event == LINK_OUTPUT && ok) more(r, reply.data);
    if (event == LINK_ROW) ok = begun(r, reply.data);
    going = event != LINK_DONE && event != LINK_LOST;
  }
  if (!ok)
    return cli_fail(
        CLI_EXIT_SYSTEM,
        "the account's messages can't be read: no memory, or the store's answer is malformed");
  if (reply.event == LINK_DONE) ended(r);
  return reply.event == LINK_DONE && reply.code == CLI_DAMAGE ? CLI_EXIT_OK : link_finish(&reply);
}

int exported_each(struct cli *c, const char *address,
                  void (*each)(void *arg, const struct exported *e), void *arg) {
  struct export_reading r = { .each = each, .arg = arg };
  uint8_t unused[DIGEST_MAX];
  int code = CLI_EXIT_OK;
  struct cli_link *l = link_open(c, ROLE_STORE, 0, &code);
  if (l)
    code = read_all(&r, l, address);
  else if (code == CLI_EXIT_NOT_FOUND)
    code = cli_fail(CLI_EXIT_TEMPORARY, "the account's messages can't be read at the moment");
  digest_end(&r.run, unused);
  link_free(&l);
  return code;
}
