/* SPDX-License-Identifier: ISC */
/* The shape of the database, by version, and how an older one is upgraded.
 *
 *   store      one row: the next body's number, the last UIDVALIDITY given, and the secret of
 *              mail/srs.h
 *   domain     the local domains
 *   account    a person's mail; its address is also its name
 *   address    who receives "local@domain": an account, or (account NULL) an alias; local ''
 *              catches all of the domain; `prep`, where it is kept in a spelling that a new one
 * would not get: all of it as it would be prepared target     where an alias leads, as an address;
 * or where an account is forwarded, and it keeps its mail when that is one of them folder     a
 * mailbox of an account with its counters; POP3 sees INBOX entry      one message in one folder
 *   body       a message, once, however many entries refer to it: its head, then its octets, in
 *              `data` or, when `start` is not NULL, in the file bodies/xx/id from that octet on
 *              (docs/design/message.md)
 *   deleted    deleted messages that can still be restored
 *   gone       imported UIDLs whose message was deleted, so that none is ever reused
 *   collected  UIDLs of other servers whose message was collected (collected.h)
 *   dropped    recipients that have a message of the drop folder (dropped.h)
 *
 * Invariants (each is tested by `qasid check`):
 *  1. body.refs is the number of rows that refer to it (body_refs.h) and is not 0; a body in a file
 *     has its file.
 *  2. folder.messages and folder.octets are the count and the sum of sizes of its entries;
 *     folder.deleted and folder.deleted_octets those of its deleted messages.
 *  3. Every entry's uid is below its folder's uidnext, and uidnext never goes back: a UID is never
 *     used twice, not even by a message that was deleted and is restored. A folder made anew has a
 *     higher uidvalidity than any before.
 *  4. An entry's size is its body's, and that is exactly how many octets RETR sends before
 *     dot-stuffing: the octets end in CRLF and have an empty line after the header.
 *  5. Numbers of accounts, folders and bodies are never reused.
 *  6. Every address is in a local domain; every target in a local domain is a local address.
 *  7. Collected messages belong to an existing account.
 *  8. A body's size is that of its head and its octets together; a head ends in CRLF.
 *
 * POP3 shows an entry's `uidl`, which was imported; else its `shown`, which is the UIDL of ours
 * that it had under its first uid; else the one that is made of uidvalidity and uid. So only `uidl`
 * says that a message came from another server. An entry has one of the two at most.
 *
 * An entry's `surrogate` is the size of what a POP3 client gets that did not say UTF8: 1 when that
 * is the message itself, NULL when it has not been measured yet (measure.c does it). It is given by
 * the process that hands the message in, so pop3d checks what it sends against it.
 *
 * A body's `sum` is the CRC-32C of its head and octets (lib/base/crc32c.h), or NULL when an
 * earlier version stored it and it has not been computed yet (sum.c does it); -1 when it could not
 * be read even then. Whatever sends a body checks its octets against it.
 *
 * The statements, but for the steps of the schema, have forms that PostgreSQL takes too, and each
 * finds its rows by an index (tests/unit/test_plans.c). What PostgreSQL would be given is instr(),
 * which it has as strpos().
 *
 * There are no REFERENCES: a foreign key would cost look-ups for each message, and a search of all
 * entries for each body that is removed.
 *
 * flags, modseq and several folders are what IMAP (RFC 3501, RFC 7162) will need. */
#ifndef QASID_STORE_SQL_SCHEMA_H
#define QASID_STORE_SQL_SCHEMA_H

#include "lib/db/db.h"
#include "src/store/format.h"

/* Creates the tables or upgrades an older version, a transaction for each step. Refuses a database
 * written by a newer Qasid. False with a sentence in `err`. */
bool schema_bring_forward(struct db *db, struct buf *err);
/* The same, but only up to `version`: a database as an older Qasid left it, for tests. */
bool schema_bring_to(struct db *db, int64_t version, struct buf *err);

/* SQL: the text after the last @ of an address, in lower case. */
#define SCHEMA_DOMAIN_OF(address) \
  "lower(substr(" address ", length(rtrim(" address ", replace(" address ", '@', ''))) + 1))"

#endif
