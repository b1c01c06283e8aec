/* SPDX-License-Identifier: ISC */
/* An answer as a table: cells copied into one arena, printed aligned for people or as JSON
 * (table.h). Invariants: at most TABLE_COLUMNS_MAX columns and TABLE_MEMORY_MAX octets; every row
 * has as many cells as there are columns; no control character reaches the terminal. */
#include "src/cli/base/table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ipc/ipc.h"
#include "lib/base/num.h"
#include "lib/base/units.h"
#include "lib/json/json.h"
#include "src/cli/base/terminal.h"

enum { TABLE_MEMORY_MAX = 256 * 1024 * 1024, TABLE_COLUMNS_MAX = 32, CELL_SHOWN_MAX = 4096 };

void table_init(struct table *t) {
  *t = (struct table){ 0 };
  arena_init(&t->mem, TABLE_MEMORY_MAX);
  t->end = &t->first;
}

void table_free(struct table *t) { arena_reset(&t->mem); }

/* The strings of an ipc list, copied; `count` of them at most. */
static struct slice *copy_cells(struct table *t, struct slice list, size_t count) {
  struct slice *cells = arena_alloc(&t->mem, (count ? count : 1) * sizeof *cells), item;
  for (size_t i = 0; cells && i < count && ipc_list_next(&list, &item); i++)
    cells[i] = arena_copy(&t->mem, item);
  return t->mem.failed ? NULL : cells;
}

bool table_columns(struct table *t, struct slice list) {
  if (t->columns) return true;
  struct slice rest = list, item;
  size_t n = 0;
  while (n < TABLE_COLUMNS_MAX && ipc_list_next(&rest, &item)) n++;
  t->columns = copy_cells(t, list, n);
  t->column_count = t->columns ? n : 0;
  return t->columns != NULL;
}

bool table_add(struct table *t, struct slice list) {
  struct table_row *row = arena_alloc(&t->mem, sizeof *row);
  if (!row || !(row->cells = copy_cells(t, list, t->column_count))) return false;
  *t->end = row;
  t->end = &row->next;
  t->row_count++;
  return true;
}

bool table_set_columns(struct table *t, const char *names) {
  struct buf list;
  buf_init(&list, 4096);
  for (struct slice rest = slice_str(names); rest.p;) ipc_list_put(&list, slice_split(&rest, ' '));
  bool ok = !list.failed && table_columns(t, buf_slice(&list));
  buf_free(&list);
  return ok;
}

bool table_add_cells(struct table *t, const struct slice *cells, size_t n) {
  struct buf list;
  buf_init(&list, SIZE_MAX / 4);
  for (size_t i = 0; i < n; i++) ipc_list_put(&list, cells[i]);
  bool ok = !list.failed && table_add(t, buf_slice(&list));
  buf_free(&list);
  return ok;
}

struct slice table_number(char room[static TABLE_NUMBER_ROOM], uint64_t n) {
  int length = snprintf(room, TABLE_NUMBER_ROOM, "%llu", (unsigned long long)n);
  return slice_of(room, (size_t)length);
}

/* The index of a column, or -1. */
static int table_column(const struct table *t, const char *name) {
  for (size_t i = 0; i < t->column_count; i++)
    if (slice_eq(t->columns[i], slice_str(name))) return (int)i;
  return -1;
}

struct slice table_cell(const struct table *t, const struct table_row *row, const char *column) {
  int at = table_column(t, column);
  return at < 0 ? SLICE_NONE : row->cells[at];
}

/* Whether a column holds numbers depends on the column, not on the row. */
static bool is_numeric(struct slice column) {
  static const char *const names[] = {
    "pid",      "uid",     "size",       "octets",    "messages", "quota",      "made",
    "seconds",  "in",      "out",        "value",     "fetched",  "unreadable", "deleted",
    "same",     "number",  "uptime",     "restarts",  "flags",    "count",      "taken",
    "sessions", "percent", "recipients", "tries",     "index",    "accounts",   "aliases",
    "first",    "most",    "port",       "priority",  "weight",   "days",       "damaged",
    "line",     "in-all",  "waiting",    "set-aside",
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_eq(column, slice_str(names[i]))) return true;
  return false;
}

static void put_cell(struct buf *line, struct slice cell, size_t width, bool right, bool last) {
  size_t fill = width - (text_width(cell) < width ? text_width(cell) : width);
  for (size_t i = 0; right && i < fill; i++) buf_put_u8(line, ' ');
  buf_put(line, cell);
  for (size_t i = 0; !right && !last && i < fill; i++) buf_put_u8(line, ' ');
  buf_put_str(line, last ? "\n" : "  ");
}

/* A limit of an account, whose kind is in the column before it. */
static bool put_limit(struct buf *to, struct slice kind, uint64_t n) {
  if (slice_eq(kind, SLICE("quota")))
    units_put_size(to, n);
  else if (slice_eq(kind, SLICE("login-delay")))
    units_put_time(to, n);
  else if (slice_eq(kind, SLICE("expire")))
    buf_printf(to, "%llud", (unsigned long long)n);
  else
    return false;
  return true;
}

/* "deleted" is a count unless the row has another time. */
static bool is_time(const struct table *t, struct slice column) {
  return slice_eq(column, SLICE("date")) || slice_eq(column, SLICE("since")) ||
         slice_eq(column, SLICE("expires")) || slice_eq(column, SLICE("next")) ||
         slice_eq(column, SLICE("due")) ||
         (slice_eq(column, SLICE("deleted")) && table_column(t, "date") >= 0);
}

/* Seconds since 1970 in UTC, as everywhere else. False: not such a number. */
static bool put_time(struct buf *to, struct slice cell) {
  uint64_t seconds;
  char date[32];
  struct tm tm;
  bool ok = num_parse(cell, UINT32_MAX, &seconds) && gmtime_r(&(time_t){ (time_t)seconds }, &tm) &&
            strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
  if (ok) buf_put_str(to, date);
  return ok;
}

/* A cell for people: seconds since 1970 as a date, in UTC; limits and intervals in the notation of
 * the options. */
static struct slice shown(struct buf *room, const struct table *t, const struct table_row *row,
                          size_t at) {
  struct slice column = t->columns[at], cell = row->cells[at];
  uint64_t seconds;
  buf_reset(room);
  if (is_time(t, column) && put_time(room, cell)) return buf_slice(room);
  if (slice_eq(column, SLICE("quota")) && num_parse(cell, UINT64_MAX, &seconds))
    units_put_size(room, seconds);
  else if (slice_eq(column, SLICE("value")) && num_parse(cell, UINT64_MAX, &seconds) &&
           put_limit(room, table_cell(t, row, "limit"), seconds))
    return buf_slice(room);
  else
    text_put_safe(room, slice_first(cell, CELL_SHOWN_MAX));
  return buf_slice(room);
}

static void measure(const struct table *t, size_t *widths) {
  struct buf room;
  buf_init(&room, 8 * CELL_SHOWN_MAX);
  for (size_t i = 0; i < t->column_count; i++) widths[i] = text_width(t->columns[i]);
  for (const struct table_row *r = t->first; r; r = r->next)
    for (size_t i = 0; i < t->column_count; i++) {
      size_t n = text_width(shown(&room, t, r, i));
      if (n > widths[i]) widths[i] = n;
    }
  buf_free(&room);
}

static void print_text(const struct table *t) {
  size_t widths[TABLE_COLUMNS_MAX];
  measure(t, widths);
  struct buf line, room;
  buf_init(&line, 1024 * 1024);
  buf_init(&room, 8 * CELL_SHOWN_MAX);
  for (size_t i = 0; i < t->column_count; i++) {
    buf_reset(&room);
    for (size_t j = 0; j < t->columns[i].n; j++) buf_put_u8(&room, ascii_upper(t->columns[i].p[j]));
    put_cell(&line, buf_slice(&room), widths[i], is_numeric(t->columns[i]),
             i + 1 == t->column_count);
  }
  if (buf_len(&line))
    printf("%s%.*s%s\n", terminal_tint(stdout, TINT_BOLD), (int)buf_len(&line) - 1,
           (const char *)buf_slice(&line).p, terminal_tint(stdout, TINT_NONE));
  for (const struct table_row *r = t->first; r; r = r->next) {
    buf_reset(&line);
    for (size_t i = 0; i < t->column_count; i++)
      put_cell(&line, shown(&room, t, r, i), widths[i], is_numeric(t->columns[i]),
               i + 1 == t->column_count);
    out_put(&line);
  }
  buf_free(&line);
  buf_free(&room);
}

/* JSON has only UTF-8 (RFC 8259 §8.1): other octets become \xNN inside the string. */
static void json_cell(struct json_value *object, const struct table *t, struct slice column,
                      struct slice cell) {
  struct buf date;
  buf_init(&date, 32);
  if (is_time(t, column) && put_time(&date, cell)) cell = buf_slice(&date);
  char name[64];
  uint64_t n;
  snprintf(name, sizeof name, "%.*s", SLICE_ARG(slice_first(column, sizeof name - 1)));
  if (is_numeric(column) && num_parse(cell, INT64_MAX, &n)) {
    json_put_number(object, name, (int64_t)n);
  } else if (!json_put_text(object, name, cell)) {
    struct buf safe;
    buf_init(&safe, 1024 * 1024);
    text_put_safe(&safe, cell);
    json_put_text(object, name, buf_slice(&safe));
    buf_free(&safe);
  }
  buf_free(&date);
}

static struct json_value *json_row(const struct table *t, const struct table_row *r) {
  struct json_value *object = json_new_object();
  for (size_t i = 0; i < t->column_count; i++) json_cell(object, t, t->columns[i], r->cells[i]);
  return object;
}

struct json_value *table_json(const struct table *t) {
  struct json_value *rows = json_new_array();
  for (const struct table_row *r = t->first; r; r = r->next) json_put_item(rows, json_row(t, r));
  return rows;
}

static void print_json(const struct table *t) {
  struct json_value *rows = table_json(t);
  json_write(rows, stdout, false);
  json_done(&rows);
}

void table_print_lines(const struct table *t) {
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct json_value *object = json_row(t, r);
    json_write(object, stdout, true);
    json_done(&object);
  }
}

void table_print(const struct table *t, bool json) {
  if (json)
    print_json(t);
  else
    print_text(t);
}
