/* Messages to an account of the store, one after another, never more than the window ahead of what it
 * has dealt with (ipc/cli_room.h, "import"). Each is answered once it is durable.
 *
 *   importer_begin → importer_put … → importer_end */
#ifndef QASID_CLI_IMPORTER_H
#define QASID_CLI_IMPORTER_H

#include "src/cli/link.h"
#include "src/cli/mailbox.h"

/* What became of a message, in the order of importer_words. */
enum importer_outcome {
  IMPORTER_ADDED,
  IMPORTER_THERE, /* its UIDL is in the mailbox already */
  IMPORTER_GONE,  /* it was, and its owner deleted it */
  IMPORTER_NO_SPACE,
  IMPORTER_TROUBLE,
  IMPORTER_OUTCOMES
};
extern const char *const importer_words[IMPORTER_OUTCOMES];

struct importer {
  struct link *link;
  uint64_t sent, taken, counts[IMPORTER_OUTCOMES];
  bool ended; /* the store has said its last */
  /* Called for each answer, in the order of the messages. May be NULL; set after importer_begin(). */
  void (*answered)(void *arg, enum importer_outcome outcome);
  void *arg;
  struct link_said last;
};

/* How a message's octets are given. */
enum importer_form {
  IMPORTER_WIRE, /* as they are to be kept: lines end in CRLF */
  IMPORTER_FILE, /* a file's: LF, CRLF or CR */
  IMPORTER_MBOX, /* a file's, with mboxrd's ">" in front of "From " */
};

/* False with *ret_code: it was said why. importer_free() is to be called either way. */
bool importer_begin(struct importer *x, struct cli *c, const char *address, int *ret_code);
/* False: the store takes no more; importer_end() has the reason. An empty message is passed over. */
bool importer_put(struct importer *x, struct slice raw, enum importer_form form,
                  const struct mail_meta *meta);
/* Waits until that many messages in all are answered. False: the store has said its last before. */
bool importer_wait(struct importer *x, uint64_t messages);
/* Waits until all are answered. The exit code, said: CLI_EXIT_TEMPORARY when some could not be added. */
int importer_end(struct importer *x);
void importer_free(struct importer *x);

#endif
