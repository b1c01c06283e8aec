/* SPDX-License-Identifier: ISC */
/* The parts of the stored format that code outside the store's SQL knows: `qasid salvage` reads it
 * without the store, and import and export carry its flags. src/store/sql/schema.h describes the
 * tables; tests/unit/test_format.c checks this file against a database. */
#ifndef QASID_STORE_FORMAT_H
#define QASID_STORE_FORMAT_H

#include <inttypes.h>

/* --- files --- */

#define STORE_FOLDER "store" /* in the data folder; it contains the others */
#define STORE_DATABASE "database.sqlite"
#define HISTORY_DATABASE "history.sqlite" /* jobs/history.h */
/* For a new database: docs/design/space.md. One that an earlier version created keeps its page
 * size, 16 KB, until `qasid compact`. */
enum { STORE_PAGE = 4096 };

/* A body that is a file: for printf, with STORE_BODY_AT(id). */
#define STORE_BODIES "bodies"
#define STORE_BODY_FOLDER STORE_BODIES "/%02x"
#define STORE_BODY_FILE STORE_BODY_FOLDER "/%" PRIu64
#define STORE_BODY_AT(id) (unsigned)((id) % STORE_BODY_FOLDERS), (id)
enum { STORE_BODY_FOLDERS = 256 };

/* --- rows ---
 *
 * Each table's columns in the order in which a row has their values. It never changes: a later
 * version adds its columns at the end. X(constant, name, shape): the first version's values have a
 * shape by which a row is recognized as one of its table (src/cli/salvage/salvage.c): i a number,
 * I a number or NULL, n NULL, t text, T text or NULL, b blob or NULL. A column that is the rowid is
 * NULL in the row. The shape of a column that was added later is "". */

#define STORE_BODY_COLUMNS(X)        \
  X(FORMAT_BODY_ID, "id", "n")       \
  X(FORMAT_BODY_REFS, "refs", "i")   \
  X(FORMAT_BODY_SIZE, "size", "i")   \
  X(FORMAT_BODY_DOTS, "dots", "i")   \
  X(FORMAT_BODY_START, "start", "I") \
  X(FORMAT_BODY_NAME, "name", "t")   \
  X(FORMAT_BODY_DATA, "data", "b")   \
  X(FORMAT_BODY_SUM, "sum", "")      \
  X(FORMAT_BODY_HEAD, "head", "")

#define STORE_FOLDER_COLUMNS(X)                    \
  X(FORMAT_FOLDER_ID, "id", "n")                   \
  X(FORMAT_FOLDER_ACCOUNT, "account", "i")         \
  X(FORMAT_FOLDER_NAME, "name", "t")               \
  X(FORMAT_FOLDER_UIDVALIDITY, "uidvalidity", "i") \
  X(FORMAT_FOLDER_UIDNEXT, "uidnext", "i")         \
  X(FORMAT_FOLDER_MODSEQ, "modseq", "i")           \
  X(FORMAT_FOLDER_MESSAGES, "messages", "i")       \
  X(FORMAT_FOLDER_OCTETS, "octets", "i")           \
  X(FORMAT_FOLDER_DELETED, "deleted", "")          \
  X(FORMAT_FOLDER_DELETED_OCTETS, "deleted_octets", "")

#define STORE_ACCOUNT_COLUMNS(X)      \
  X(FORMAT_ACCOUNT_ID, "id", "n")     \
  X(FORMAT_ACCOUNT_NAME, "name", "t") \
  X(FORMAT_ACCOUNT_MADE, "made", "i") \
  X(FORMAT_ACCOUNT_QUOTA, "quota", "I")

#define STORE_ENTRY_COLUMNS(X)               \
  X(FORMAT_ENTRY_FOLDER, "folder", "i")      \
  X(FORMAT_ENTRY_UID, "uid", "i")            \
  X(FORMAT_ENTRY_BODY, "body", "i")          \
  X(FORMAT_ENTRY_SIZE, "size", "i")          \
  X(FORMAT_ENTRY_FLAGS, "flags", "i")        \
  X(FORMAT_ENTRY_DATE, "date", "i")          \
  X(FORMAT_ENTRY_MODSEQ, "modseq", "i")      \
  X(FORMAT_ENTRY_UIDL, "uidl", "T")          \
  X(FORMAT_ENTRY_SURROGATE, "surrogate", "") \
  X(FORMAT_ENTRY_CAME, "came", "")           \
  X(FORMAT_ENTRY_SHOWN, "shown", "")

#define STORE_DELETED_COLUMNS(X)               \
  X(FORMAT_DELETED_FOLDER, "folder", "i")      \
  X(FORMAT_DELETED_UID, "uid", "i")            \
  X(FORMAT_DELETED_BODY, "body", "i")          \
  X(FORMAT_DELETED_SIZE, "size", "i")          \
  X(FORMAT_DELETED_FLAGS, "flags", "i")        \
  X(FORMAT_DELETED_DATE, "date", "i")          \
  X(FORMAT_DELETED_UIDL, "uidl", "T")          \
  X(FORMAT_DELETED_REMOVED, "removed", "i")    \
  X(FORMAT_DELETED_SURROGATE, "surrogate", "") \
  X(FORMAT_DELETED_SHOWN, "shown", "")

#define FORMAT_CONSTANT(constant, name, shape) constant,
enum { STORE_BODY_COLUMNS(FORMAT_CONSTANT) };
enum { STORE_FOLDER_COLUMNS(FORMAT_CONSTANT) };
enum { STORE_ACCOUNT_COLUMNS(FORMAT_CONSTANT) };
enum { STORE_ENTRY_COLUMNS(FORMAT_CONSTANT) };
enum { STORE_DELETED_COLUMNS(FORMAT_CONSTANT) };

/* --- values --- */

/* The bits of `flags`, in the order of Maildir's letters DFRST, except those without a letter. */
enum { MAIL_SEEN = 1, MAIL_ANSWERED = 2, MAIL_FLAGGED = 4, MAIL_DELETED = 8, MAIL_DRAFT = 16 };

#endif
