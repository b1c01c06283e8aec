/* SPDX-License-Identifier: ISC */
/* A database file as its pages, without the program that keeps it: for a file that program does not
 * read any more because a page of it is damaged. The format is SQLite's
 * (https://www.sqlite.org/fileformat2.html, sections in brackets below); nothing is ever written.
 *
 * A page is wherever its newest version is: in the write-ahead log, as far as that is committed,
 * else in the file. Rows are found by looking at each page alone, not by walking down from the
 * root: so a damaged page costs its own rows and no others. What lies on pages that the file lists
 * as free is not looked at; when page 1, which has that list, is damaged, old rows may come up
 * among the others. */
#ifndef QASID_DB_PAGES_H
#define QASID_DB_PAGES_H

#include "lib/base/buf.h"

struct pages {
  struct slice file, log; /* mapped; the log may be empty */
  uint32_t size;          /* of a page */
  uint32_t count;
  uint64_t *in_log;    /* by page: where its newest version is in the log; 0: in the file */
  uint8_t *seen;       /* by page: enum page_use */
  uint32_t map_every;  /* each so many pages from page 2 on one is of the pointer map; 0: none is */
  bool free_known;     /* the list of free pages was read whole */
  uint32_t log_broken; /* frames of the log that are damaged */
};

enum page_use { PAGE_NOT_SEEN, PAGE_FREE, PAGE_ROWS, PAGE_ROWS_DAMAGED, PAGE_OVERFLOW, PAGE_MAP };

/* Maps DATABASE and DATABASE-wal. When page 1 is damaged, the size of a page is the one of those
 * that this program has used which most pages fit. False with errno. */
bool pages_open(struct pages *p, const char *path);
/* The same of octets in memory, which must outlive it. */
bool pages_take(struct pages *p, struct slice file, struct slice log);
void pages_close(struct pages *p);

/* --- rows --- */

enum { COLUMNS_MAX = 16 };
/* FAR: a number that lies behind an overflow, or has no place at all; see pages_number(). */
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
  uint32_t overflow;  /* the page with the next ones; 0: there are none */
  size_t columns;     /* those beyond COLUMNS_MAX are left out */
  struct column column[COLUMNS_MAX];
};

/* Every row on the leaves, and on the inner pages of tables without a rowid. `take` must not keep
 * the row. */
void pages_rows(struct pages *p, void (*take)(void *arg, const struct page_row *r), void *arg);
/* One row again. False: it is not there. */
bool pages_row(struct pages *p, uint32_t page, uint32_t cell, struct page_row *ret);
/* Octets of a text or blob, piece by piece, as far as they can be read; `put` may refuse to go on.
 * False: not all. */
bool pages_octets(struct pages *p, const struct page_row *r, const struct column *c,
                  bool (*put)(void *arg, struct slice piece), void *arg);
/* A number, wherever it lies. False: the column is no number, or can't be read. */
bool pages_number(struct pages *p, const struct page_row *r, size_t column, int64_t *ret);
/* A text that lies on the row's own page; empty when it does not. */
struct slice pages_text(const struct page_row *r, size_t column);

/* --- damage --- */

struct pages_damage {
  uint32_t pages, first; /* that are damaged, or belong to a row that is */
  uint32_t log;          /* pages of the log that are damaged */
  bool free_list;        /* deleted rows may be among those that were found */
};
/* After all rows were read, with their overflow. */
void pages_damage(const struct pages *p, struct pages_damage *ret);

#endif
