/* SPDX-License-Identifier: ISC */
/* Stored messages whose octets store passed as open files, read-only, each with its head: a reader
 * of many messages gets a few of them at once, and reads them without asking again. Knows no
 * protocol. */
#ifndef QASID_BODY_FILES_H
#define QASID_BODY_FILES_H

#include "lib/base/slice.h"

enum { BODY_FILES_MAX = 8 };

/* One message of `size` octets: `head`, then those of the file from `start` on. */
struct body_file {
  uint32_t id; /* the reader's id of the message; later messages have higher ones */
  int fd;
  struct slice head; /* a copy of its own, as long as it is kept */
  uint64_t start, size;
  bool summed; /* `sum` is the CRC-32C of these octets */
  uint32_t sum;
};

/* For one reader. Zeroed at first. */
struct body_files {
  size_t count;
  struct body_file f[BODY_FILES_MAX];
};

enum body_read { BODY_READ, BODY_READ_TROUBLE, BODY_READ_SHORT };

/* NULL: not open. */
struct body_file *body_files_find(struct body_files *b, uint32_t id);
/* Takes over f->fd, replacing one with the same id; if there are too many, one is closed. NULL
 * without memory for its head: f->fd still belongs to the caller. */
struct body_file *body_files_keep(struct body_files *b, const struct body_file *f);
void body_files_close(struct body_files *b, struct body_file *f);
/* Closes those of messages before `id`. */
void body_files_close_below(struct body_files *b, uint32_t id);
void body_files_close_all(struct body_files *b);
/* Reads up to `most` octets from `offset` into `to`; fewer only at the end of the message. TROUBLE:
 * a read error; SHORT: the file is shorter than the message, so it is damaged. */
enum body_read body_file_read(const struct body_file *f, uint64_t offset, size_t most, uint8_t *to,
                              size_t *ret_n);

#endif
