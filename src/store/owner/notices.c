/* SPDX-License-Identifier: ISC */
/* Log lines of the store's own: a full disk, a full mailbox. */
#include "src/store/owner/owner.h"

void notice_disk_full(struct store *s, int64_t now_s) {
  struct log_line l;
  uint64_t times;
  if (!seldom_due(&s->notices, NOTICE_DISK, (uint64_t)now_s * 1000, &times)) return;
  int64_t space = s->disk->ops->free_space(s->disk);
  log_open(&l, s->shell.log, LOG_E_DISK_FULL);
  if (space >= 0) log_num(&l, LOG_F_FREE, (uint64_t)space);
  log_cstr(&l, LOG_F_MSG, "no new mail is taken until there is space again (store_free_space)");
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
}

void notice_mailbox_full(struct store *s, uint64_t account, int64_t now_s) {
  struct log_line l;
  struct buf name;
  uint64_t times;
  if (!seldom_due(&s->notices, account, (uint64_t)now_s * 1000, &times)) return;
  buf_init(&name, DIR_ADDRESS_MAX);
  dir_put_name(&s->dir, account, &name);
  log_open(&l, s->shell.log, LOG_E_MAILBOX_FULL);
  log_str(&l, LOG_F_NAME, buf_slice(&name));
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
  buf_free(&name);
}
