/* SPDX-License-Identifier: ISC */
/* A database file read page by page, without SQLite: for a file that SQLite does not read any more
 * because a page of it is damaged. The format is SQLite's (https://www.sqlite.org/fileformat2.html,
 * sections in brackets below); nothing is ever written.
 *
 * A page is wherever its newest version is: in the write-ahead log, as far as that is committed,
 * else in the file. Rows are found by examining each page by itself, not by descending from the
 * root: so a damaged page costs its own rows and no others. Pages that the file lists as free are
 * not examined; if page 1, which has that list, is damaged, old rows may come up among the
 * others. */
#ifndef QASID_DB_PAGES_H
#define QASID_DB_PAGES_H

#include "lib/base/buf.h"

struct pages {
  struct slice file, log; /* mapped; the log may be empty */
  uint32_t size;          /* of a page */
  uint32_t count;
  uint64_t *in_log;    /* by page: where its newest version is in the log; 0: in the file */
  uint8_t *seen;       /* by page: enum page_use */
  uint32_t map_every;  /* one page in this many, from page 2 on, belongs to the pointer map; 0: none
                        * does */
  bool free_known;     /* the list of free pages was read whole */
  uint32_t log_broken; /* frames of the log that are damaged */
};

enum page_use { PAGE_NOT_SEEN, PAGE_FREE, PAGE_ROWS, PAGE_ROWS_DAMAGED, PAGE_OVERFLOW, PAGE_MAP };

/* Maps DATABASE and DATABASE-wal. If page 1 is damaged, the page size is the one, of those that
 * this program has used, that fits most pages. False with errno. */
bool pages_open(struct pages *p, const char *path);
/* The same of octets in memory, which must outlive it. */
bool pages_take(struct pages *p, struct slice file, struct slice log);
void pages_close(struct pages *p);

/* --- rows --- */

enum { COLUMNS_MAX = 16 };
/* FAR: a number located after an overflow, or without a valid location; see pages_number(). */
enum column_kind { COLUMN_NULL, COLUMN_INT, COLUMN_REAL, COLUMN_TEXT, COLUMN_BLOB, COLUMN_FAR };
struct column {
  enum column_kind kind;
  int64_t number;
  uint64_t at, n; /* text, blob and FAR: where in the payload, and how many octets */
};
struct page_row {
  uint32_t page, cell;
  bool has_id; /* of a table with a rowid */
  int64_t id;
  uint64_t payload;   /* octets */
  struct slice local; /* those on the page itself */
  uint32_t overflow;  /* the page with the following octets; 0: there are none */
  size_t columns;     /* those beyond COLUMNS_MAX are left out */
  struct column column[COLUMNS_MAX];
};

/* Every row on the leaves, and on the inner pages of tables without a rowid. `take` must not keep
 * the row. */
void pages_rows(struct pages *p, void (*take)(void *arg, const struct page_row *r), void *arg);
/* Reads one row again. False: it does not exist. */
bool pages_row(struct pages *p, uint32_t page, uint32_t cell, struct page_row *ret);
/* Octets of a text or blob, piece by piece, as far as they can be read; `put` may refuse to go on.
 * False: not all. */
bool pages_octets(struct pages *p, const struct page_row *r, const struct column *c,
                  bool (*put)(void *arg, struct slice piece), void *arg);
/* A number, wherever it is located. False: the column is not a number, or cannot be read. */
bool pages_number(struct pages *p, const struct page_row *r, size_t column, int64_t *ret);
/* A text located on the row's own page; otherwise empty. */
struct slice pages_text(const struct page_row *r, size_t column);

/* --- damage --- */

struct pages_damage {
  uint32_t pages, first; /* that are damaged, or belong to a row that is */
  uint32_t log;          /* pages of the log that are damaged */
  bool free_list;        /* deleted rows may be among those that were found */
};
/* To be called after all rows were read, with their overflow. */
void pages_damage(const struct pages *p, struct pages_damage *ret);

#endif
