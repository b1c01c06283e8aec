/* SPDX-License-Identifier: ISC */
/* The remains of a store (salvage.h): rows of all tables, recognised by their shape, sorted and
 * combined by their numbers. Invariants: the file is only read; a row that matches no shape is
 * ignored; of several rows with one key one is kept; nothing depends on a row being there. */
#include "lib/base/array.h"
#include "src/cli/salvage/salvage.h"
#include "src/store/format.h"

#include <stdlib.h>

#define MEMORY_MAX (UINT64_C(8) << 30)
#define NUMBER_MAX (INT64_C(1) << 48)

/* --- lists --- */

/* One more item at the end of a list; NULL without memory. */
static void *one_more(struct salvage *s, void *items, size_t *count, size_t *cap, size_t each) {
  if (!array_reserve(items, cap, *count + 1, each)) {
    s->no_memory = true;
    return NULL;
  }
  uint8_t *first;
  memcpy(&first, items, sizeof first);
  return first + (*count)++ * each;
}

void salvage_free(struct salvage *s) {
  free(s->accounts), free(s->folders), free(s->entries), free(s->bodies);
  arena_reset(&s->mem);
}

/* --- shapes --- */

/* `shape` has a letter for each column: src/store/format.h. */
static bool is_shape(const struct page_row *r, const char *shape) {
  size_t i = 0;
  for (; shape[i]; i++) {
    if (i >= r->columns) return false;
    enum column_kind k = r->column[i].kind;
    bool fine = false;
    switch (shape[i]) {
    case 'i': fine = k == COLUMN_INT; break;
    case 'I': fine = k == COLUMN_INT || k == COLUMN_NULL; break;
    case 'n': fine = k == COLUMN_NULL; break;
    case 't': fine = k == COLUMN_TEXT; break;
    case 'T': fine = k == COLUMN_TEXT || k == COLUMN_NULL; break;
    case 'b': fine = k == COLUMN_BLOB || k == COLUMN_NULL; break;
    }
    if (!fine) return false;
    if (k == COLUMN_INT && (r->column[i].number < 0 || r->column[i].number > NUMBER_MAX))
      return false;
  }
  return true;
}

static uint64_t value(const struct page_row *r, size_t column) {
  return (uint64_t)r->column[column].number;
}

static void take_account(struct salvage *s, const struct page_row *r) {
  struct slice name = pages_text(r, FORMAT_ACCOUNT_NAME);
  if (slice_find(name, '@') <= 0) return;
  struct salvage_account *a =
      one_more(s, &s->accounts, &s->account_count, &s->account_cap, sizeof *a);
  if (a) *a = (struct salvage_account){ (uint64_t)r->id, arena_cstr(&s->mem, name) };
}

static void take_folder(struct salvage *s, const struct page_row *r) {
  struct salvage_folder *f = one_more(s, &s->folders, &s->folder_count, &s->folder_cap, sizeof *f);
  if (f)
    *f = (struct salvage_folder){
      .id = (uint64_t)r->id,
      .account = value(r, FORMAT_FOLDER_ACCOUNT),
      .name = arena_cstr(&s->mem, pages_text(r, FORMAT_FOLDER_NAME)),
      .uidvalidity = (uint32_t)value(r, FORMAT_FOLDER_UIDVALIDITY),
    };
}

static void take_entry(struct salvage *s, const struct page_row *r) {
  uint64_t uid = value(r, FORMAT_ENTRY_UID);
  if (!value(r, FORMAT_ENTRY_FOLDER) || !uid || uid > UINT32_MAX || !value(r, FORMAT_ENTRY_BODY))
    return;
  struct salvage_entry *e = one_more(s, &s->entries, &s->entry_count, &s->entry_cap, sizeof *e);
  if (!e) return;
  *e = (struct salvage_entry){ .folder = value(r, FORMAT_ENTRY_FOLDER),
                               .uid = (uint32_t)uid,
                               .body = value(r, FORMAT_ENTRY_BODY),
                               .size = value(r, FORMAT_ENTRY_SIZE),
                               .flags = (uint32_t)value(r, FORMAT_ENTRY_FLAGS),
                               .date = r->column[FORMAT_ENTRY_DATE].number };
  struct slice uidl = pages_text(r, FORMAT_ENTRY_UIDL);
  if (!uidl.n) uidl = pages_text(r, FORMAT_ENTRY_SHOWN);
  if (uidl.n) e->uidl = arena_copy(&s->mem, uidl);
}

/* A deleted message that is kept: marked once all bodies are known, so that its body has an
 * owner. */
static void take_kept(struct salvage *s, const struct page_row *r) {
  struct salvage_entry *e = one_more(s, &s->entries, &s->entry_count, &s->entry_cap, sizeof *e);
  if (e) *e = (struct salvage_entry){ .folder = 0, .body = value(r, FORMAT_DELETED_BODY) };
}

static void take_body(struct salvage *s, const struct page_row *r) {
  const struct column *data = &r->column[FORMAT_BODY_DATA], *start = &r->column[FORMAT_BODY_START];
  bool in_file = start->kind == COLUMN_INT;
  bool has_head = r->columns > FORMAT_BODY_HEAD && r->column[FORMAT_BODY_HEAD].kind == COLUMN_BLOB;
  uint64_t head = has_head ? r->column[FORMAT_BODY_HEAD].n : 0, size = value(r, FORMAT_BODY_SIZE);
  bool fine =
      value(r, FORMAT_BODY_DOTS) <= 1 && r->id > 0 && (in_file || data->kind == COLUMN_BLOB);
  if (!fine || head > size || (!in_file && head + data->n != size)) return;
  struct salvage_body *b = one_more(s, &s->bodies, &s->body_count, &s->body_cap, sizeof *b);
  if (b)
    *b = (struct salvage_body){ .id = (uint64_t)r->id,
                                .size = size,
                                .start = value(r, FORMAT_BODY_START),
                                .head = head,
                                .page = r->page,
                                .cell = r->cell,
                                .in_file = in_file };
}

#define SHAPE(constant, name, shape) shape
static const struct shape {
  bool has_id;
  const char *columns;
  void (*take)(struct salvage *s, const struct page_row *r);
} shapes[] = {
  /* the first that fits */
  { true, STORE_BODY_COLUMNS(SHAPE), take_body },
  { true, STORE_FOLDER_COLUMNS(SHAPE), take_folder },
  { true, STORE_ACCOUNT_COLUMNS(SHAPE), take_account },
  { false, STORE_DELETED_COLUMNS(SHAPE), take_kept },
  { false, STORE_ENTRY_COLUMNS(SHAPE), take_entry },
};

static void take(void *arg, const struct page_row *r) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    if (shapes[i].has_id != r->has_id || !is_shape(r, shapes[i].columns)) continue;
    shapes[i].take(arg, r);
    return;
  }
}

/* --- in order, each once --- */

static int by_number(uint64_t a, uint64_t b) { return (a > b) - (a < b); }
static int account_order(const void *a, const void *b) {
  return by_number(((const struct salvage_account *)a)->id,
                   ((const struct salvage_account *)b)->id);
}
static int folder_order(const void *a, const void *b) {
  return by_number(((const struct salvage_folder *)a)->id, ((const struct salvage_folder *)b)->id);
}
static int body_order(const void *a, const void *b) {
  return by_number(((const struct salvage_body *)a)->id, ((const struct salvage_body *)b)->id);
}
static int entry_order(const void *a, const void *b) {
  const struct salvage_entry *x = a, *y = b;
  int order = by_number(x->folder, y->folder);
  return order ? order : by_number(x->uid, y->uid);
}

static void settle(void *list, size_t *count, size_t each,
                   int (*order)(const void *, const void *)) {
  uint8_t *p = list;
  size_t kept = 0;
  if (*count) qsort(list, *count, each, order);
  for (size_t i = 0; i < *count; i++) {
    if (kept && order(p + (kept - 1) * each, p + i * each) == 0) continue;
    if (kept != i) memcpy(p + kept * each, p + i * each, each);
    kept++;
  }
  *count = kept;
}

#define FIND(list, count, order, ...) \
  ((count) ? bsearch(&(__VA_ARGS__), (list), (count), sizeof *(list), (order)) : NULL)

const struct salvage_account *salvage_account(const struct salvage *s, uint64_t id) {
  return FIND(s->accounts, s->account_count, account_order, (struct salvage_account){ .id = id });
}
const struct salvage_folder *salvage_folder(const struct salvage *s, uint64_t id) {
  return FIND(s->folders, s->folder_count, folder_order, (struct salvage_folder){ .id = id });
}
struct salvage_body *salvage_body(const struct salvage *s, uint64_t id) {
  return FIND(s->bodies, s->body_count, body_order, (struct salvage_body){ .id = id });
}

/* Removes the deleted ones from the entries; marks the bodies that have an owner. */
static void mark(struct salvage *s) {
  size_t kept = 0;
  for (size_t i = 0; i < s->entry_count; i++) {
    struct salvage_body *b = salvage_body(s, s->entries[i].body);
    if (b) b->wanted = true;
    if (s->entries[i].folder) s->entries[kept++] = s->entries[i];
  }
  s->kept_count = s->entry_count - kept;
  s->entry_count = kept;
}

bool salvage_read(struct salvage *s) {
  arena_init(&s->mem, MEMORY_MAX);
  pages_rows(&s->pages, take, s);
  settle(s->accounts, &s->account_count, sizeof *s->accounts, account_order);
  settle(s->folders, &s->folder_count, sizeof *s->folders, folder_order);
  settle(s->bodies, &s->body_count, sizeof *s->bodies, body_order);
  mark(s);
  settle(s->entries, &s->entry_count, sizeof *s->entries, entry_order);
  return !s->no_memory && !s->mem.failed;
}

bool salvage_sum(struct salvage *s, const struct salvage_body *b, uint32_t *ret) {
  struct page_row r;
  int64_t sum;
  if (!b->page || !pages_row(&s->pages, b->page, b->cell, &r) ||
      !pages_number(&s->pages, &r, FORMAT_BODY_SUM, &sum))
    return false;
  *ret = (uint32_t)sum;
  return sum >= 0 && sum <= UINT32_MAX;
}

static bool put_column(struct salvage *s, const struct salvage_body *b, size_t column,
                       bool (*put)(void *arg, struct slice piece), void *arg) {
  struct page_row r;
  return b->page && pages_row(&s->pages, b->page, b->cell, &r) && r.columns > column &&
         pages_octets(&s->pages, &r, &r.column[column], put, arg);
}

bool salvage_head(struct salvage *s, const struct salvage_body *b,
                  bool (*put)(void *arg, struct slice piece), void *arg) {
  return !b->head || put_column(s, b, FORMAT_BODY_HEAD, put, arg);
}

bool salvage_octets(struct salvage *s, const struct salvage_body *b,
                    bool (*put)(void *arg, struct slice piece), void *arg) {
  return !b->in_file && put_column(s, b, FORMAT_BODY_DATA, put, arg);
}
