/* SPDX-License-Identifier: ISC */
/* The open files of one reader (body_files.h). Invariant: f[0 … count) own their descriptors and
 * their heads, and no two have the same id. */
#include "runtime/body/body_files.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct body_file *body_files_find(struct body_files *b, uint32_t id) {
  for (size_t i = 0; i < b->count; i++)
    if (b->f[i].id == id) return &b->f[i];
  return NULL;
}

void body_files_close(struct body_files *b, struct body_file *f) {
  close(f->fd);
  free((void *)f->head.p);
  *f = b->f[--b->count];
}

void body_files_close_below(struct body_files *b, uint32_t id) {
  for (size_t i = b->count; i-- > 0;)
    if (b->f[i].id < id) body_files_close(b, &b->f[i]);
}

void body_files_close_all(struct body_files *b) {
  while (b->count) body_files_close(b, &b->f[0]);
}

struct body_file *body_files_keep(struct body_files *b, const struct body_file *f) {
  struct body_file *same = body_files_find(b, f->id);
  uint8_t *head = f->head.n ? malloc(f->head.n) : NULL;
  if (f->head.n && !head) return NULL;
  if (head) memcpy(head, f->head.p, f->head.n);
  if (same) body_files_close(b, same);
  if (b->count == BODY_FILES_MAX) body_files_close(b, &b->f[0]);
  b->f[b->count] = *f;
  b->f[b->count].head = slice_of(head, f->head.n);
  return &b->f[b->count++];
}

enum body_read body_file_read(const struct body_file *f, uint64_t offset, size_t most, uint8_t *to,
                              size_t *ret_n) {
  uint64_t left = offset < f->size ? f->size - offset : 0;
  size_t n = most < left ? most : (size_t)left;
  struct slice head =
      offset < f->head.n ? slice_first(slice_from(f->head, (size_t)offset), n) : SLICE_NONE;
  ssize_t got;
  *ret_n = n;
  if (head.n) memcpy(to, head.p, head.n);
  to += head.n, n -= head.n, offset += head.n;
  do got = n ? pread(f->fd, to, n, (off_t)(f->start + offset - f->head.n)) : 0;
  while (got < 0 && errno == EINTR);
  return got == (ssize_t)n ? BODY_READ : got < 0 ? BODY_READ_TROUBLE : BODY_READ_SHORT;
}
