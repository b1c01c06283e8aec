/* SPDX-License-Identifier: ISC */
/* Rows under columns, for a person (aligned) or a program (JSON). */
#ifndef QASID_CLI_TABLE_H
#define QASID_CLI_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/json/json.h"

struct table_row {
  struct table_row *next;
  struct slice *cells; /* as many as there are columns */
};

struct table {
  struct arena mem;
  struct slice *columns;
  size_t column_count;
  struct table_row *first, **end;
  size_t row_count;
};

void table_init(struct table *t);
void table_free(struct table *t);
/* `list` is an ipc list of names, of values: copied. The first call's columns are kept; a row with
 * fewer values is filled with empty ones. False without memory. */
bool table_columns(struct table *t, struct slice list);
bool table_add(struct table *t, struct slice list);
/* The same of names with a space between them, and of the values of a row. */
bool table_set_columns(struct table *t, const char *names);
bool table_add_cells(struct table *t, const struct slice *cells, size_t n);
#define TABLE_ROW(t, ...)                                     \
  table_add_cells((t), (const struct slice[]){ __VA_ARGS__ }, \
                  sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))
/* A number as a value, written into `room`. */
enum { TABLE_NUMBER_ROOM = 24 };
struct slice table_number(char room[static TABLE_NUMBER_ROOM], uint64_t n);
#define TABLE_NUMBER(n) table_number((char[TABLE_NUMBER_ROOM]){ 0 }, (n))
/* A cell of the row; empty if there is no such column. */
struct slice table_cell(const struct table *t, const struct table_row *row, const char *column);
/* On standard output: columns in capitals above, numbers to the right; or an array of objects, in
 * which counts, sizes and dates are numbers. */
void table_print(const struct table *t, bool json);
/* That array, to be embedded in a larger document; free with json_done() or by its document. */
struct json_value *table_json(const struct table *t);
/* Each row as a JSON object on a line of its own, for continuous output. */
void table_print_lines(const struct table *t);

#endif
