/* SPDX-License-Identifier: ISC */
/* The references to a body: each row of these tables is one reference, and body.refs is their
 * number. All code that counts or follows references uses this table; a table missing here would
 * lose its bodies.
 *
 * X(table, columns, numbers, sentence): `sentence` is what `check` reports for a row `x` whose body
 * does not exist, `columns` are its %-numbers. AND separates two rows. */
#ifndef QASID_STORE_BODY_REFS_H
#define QASID_STORE_BODY_REFS_H

#define BODY_REFS(X, AND)                                                                \
  X(entry, "x.folder, x.uid, x.body", 3,                                                 \
    "folder %lld: message %lld refers to body %lld, which is not there")                 \
  AND X(deleted, "x.folder, x.uid, x.body", 3,                                           \
        "folder %lld: deleted message %lld refers to body %lld, which is not there") AND \
  X(letter, "x.body", 1, "a message in the queue refers to body %lld, which is not there")

/* SQL: the column `body`, once for each reference. */
#define BODY_REF_SELECT(table, columns, numbers, sentence) "SELECT body FROM " #table
#define BODY_REFERENCES BODY_REFS(BODY_REF_SELECT, " UNION ALL ")

#endif
