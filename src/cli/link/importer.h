/* SPDX-License-Identifier: ISC */
/* Imports messages into an account of the store, one after another, never more than the window
 * ahead of what the store has processed (ipc/cli_process.h, "import"). Each is answered once it is
 * durable.
 *
 *   importer_begin → importer_put … → importer_end */
#ifndef QASID_CLI_IMPORTER_H
#define QASID_CLI_IMPORTER_H

#include "mail/clean.h"
#include "lib/tls/digest.h"
#include "src/cli/link/link.h"
#include "src/cli/mailbox/mailbox.h"

/* The outcome for a message, in the order of importer_words. */
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
  struct cli_link *link;
  uint64_t sent, taken, counts[IMPORTER_OUTCOMES];
  bool ended; /* the store has sent its last answer */
  /* Called for each answer, in the order of the messages. May be NULL; set after importer_begin().
   */
  void (*answered)(void *arg, enum importer_outcome outcome);
  void *arg;
  uint64_t changed_messages; /* messages that needed changes */
  struct mail_changes changed;
  struct link_reply last;
  /* set after importer_begin(): a message whose UIDL is in use or gone is added with another */
  bool again;
};

/* False with *ret_code; the reason was printed. importer_free() is to be called either way. */
bool importer_begin(struct importer *x, struct cli *c, const char *address, int *ret_code);
/* Imports a message as it came; mail/clean.h is applied here. False: the store accepts no more;
 * importer_end() has the reason. */
bool importer_put(struct importer *x, struct slice message, const struct mail_meta *meta);
/* The same from a file that nobody else writes to; `eight_bit`: some of its octets are not ASCII;
 * `before`: changes already made to it. */
bool importer_put_file(struct importer *x, int fd, uint64_t size, bool eight_bit,
                       const struct mail_changes *before, const struct mail_meta *meta);
/* The form in which the store will keep a message: normalized, and completed (mail/measure.h).
 * False without memory. */
struct importer_kept {
  uint64_t size;
  uint32_t sum; /* CRC-32C */
  uint8_t digest[DIGEST_SHA256_SIZE];
  struct mail_changes changed; /* by the door */
};
bool importer_keeps(struct slice message, struct importer_kept *ret);
/* Waits until that many messages in all were answered. False: the store ended before. */
bool importer_wait(struct importer *x, uint64_t messages);
/* Waits until all were answered. The exit code, printed: CLI_EXIT_TEMPORARY if some could not be
 * added. */
int importer_end(struct importer *x);
/* Prints what was changed in the messages, if anything. */
void importer_print_changes(const struct importer *x);
void importer_free(struct importer *x);

#endif
