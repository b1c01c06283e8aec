/* SPDX-License-Identifier: ISC */
/* The command line asks a process to administer what that process owns.
 *
 * `qasid` connects to the parent's control socket (mode 0600, peer credentials checked); the parent
 * gives each side one end of a new channel. A command is a list of words, as typed; its reply is a
 * table (columns, rows), or a stream of octets, and always ends in one `cli_done`. A channel
 * carries one command at a time. The tag is unused (0).
 *
 * The store's commands with streams:
 *
 *   export USER
 *     For each message a row (uid, size, date, flags, uidl), then its octets: `size` of them in
 *     cli_output parts. date: seconds since 1970; uidl: as POP3 shows it. A row whose size is
 *     "unreadable" withdraws that message and the octets already sent for it.
 *   import USER
 *     cli_input carries messages one after another, each a line "SIZE DATE FLAGS UIDL\n" (FLAGS a
 *     number, UIDL "-" for none) and SIZE octets, split into parts anywhere; cli_input_end ends it.
 *     An optional fifth word is the size of the message's surrogate (mail/surrogate.h); without
 *     it the store measures later. With a sixth word "again", a message that would be "there" or
 *     "gone" is added with another UIDL.
 *     The store sends a row (outcome, uid, taken) for each message, in order, once it is durable:
 *     "added", "there" (that UIDL is in the maildrop already), "gone" (it was, and its owner
 *     deleted it), "no-space" or "trouble"; and rows "more" in the middle of large messages.
 *     `taken` is how many octets of input the store has processed in all: the client must never be
 *     more than CLI_IMPORT_WINDOW octets ahead of it.
 *   mail uidls USER
 *     A row (uidl, uid, imported, size, sum) for each message, and one with uid 0 for each imported
 *     UIDL whose message its owner deleted; sum: the CRC-32C of its octets. Unknown values are
 *     empty.
 *   mail drop USER UID…
 *     Deletes the messages whose UIDL was imported, and forgets the UIDLs.
 *   backup
 *     cli_output is a ustar archive (POSIX.1-1988) of a data folder: the database as it was at one
 *     moment, and the body files it refers to. */
#ifndef QASID_IPC_CLI_PROCESS_H
#define QASID_IPC_CLI_PROCESS_H

#include "ipc/ipc.h"

enum { CLI_AT_REST, CLI_BUSY };

enum cli_code {
  CLI_OK,
  CLI_USAGE,     /* the command or its arguments are wrong */
  CLI_NOT_FOUND, /* no such account, domain, message */
  CLI_EXISTS,
  CLI_TROUBLE, /* try later */
  CLI_DAMAGE,  /* `store check` found damage */
  CLI_REFUSED, /* the configuration, or a file that it names, is invalid */
  CLI_CODES
};

enum { CLI_IMPORT_WINDOW = 1024 * 1024 };

/* clang-format off */
/* To the parent, on the control socket: connect me to the process of that role and index (0 =
 * first). */
#define cli_connect_FIELDS(F) F(u8, kind, ) F(u8, index, )
/* The parent's reply: the client's end of the channel. */
#define cli_connected_FIELDS(F) F(u32, number, )

#define cli_command_FIELDS(F) F(list, words, 64 * 1024)
/* Octets that belong to the command now running (an import's message), and their end. */
#define cli_input_FIELDS(F) F(bytes, data, IPC_CHUNK)
#define cli_input_end_FIELDS(F)
#define cli_columns_FIELDS(F) F(list, names, 4096)
#define cli_row_FIELDS(F) F(list, values, 64 * 1024)
#define cli_output_FIELDS(F) F(bytes, data, IPC_CHUNK)
/* text: one sentence for the user, empty when the table says it all. */
#define cli_done_FIELDS(F) F(u8, code, ) F(bytes, text, 4096)

#define CLI_PROCESS_MESSAGES(M) \
  /* type name         from       allowed in         next          max              fds kind */ \
  M(1,  cli_command,    IPC_LEFT,  1 << CLI_AT_REST,  CLI_BUSY,     IPC_PAYLOAD_MAX, 0, IPC_ASK) \
  M(2,  cli_input,      IPC_LEFT,  1 << CLI_BUSY,     IPC_SAME,     66 * 1024,       0, IPC_SEND) \
  M(3,  cli_input_end,  IPC_LEFT,  1 << CLI_BUSY,     IPC_SAME,     0,               0, IPC_SEND) \
  M(4,  cli_connect,       IPC_LEFT,  1 << CLI_AT_REST,  IPC_SAME,     16,              0, \
    IPC_ASK) \
  M(64, cli_columns,    IPC_RIGHT, IPC_ANY,           IPC_SAME,     8192,            0, IPC_TO(1)) \
  M(65, cli_row,        IPC_RIGHT, IPC_ANY,           IPC_SAME,     IPC_PAYLOAD_MAX, 0, IPC_TO(1)) \
  M(66, cli_output,     IPC_RIGHT, IPC_ANY,           IPC_SAME,     66 * 1024,       0, IPC_TO(1)) \
  M(67, cli_done,       IPC_RIGHT, IPC_ANY,           CLI_AT_REST,  8192,            0, \
    IPC_TO(1) | IPC_TO(4)) \
  M(68, cli_connected,     IPC_RIGHT, IPC_ANY,           IPC_SAME,     16,              1, \
    IPC_TO(4))

CLI_PROCESS_MESSAGES(IPC_DECLARE)

/* The payload of a table's row, or of its header: cli_columns and cli_row are laid out alike.
 * Values that do not fit in `b` or in a message set `b->failed`. */
void cli_table_put(struct buf *b, const struct slice *values, size_t n);

extern const struct ipc_pair ipc_cli_process;
/* clang-format on */

#endif
