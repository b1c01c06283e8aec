/* SPDX-License-Identifier: ISC */
/* The notice to the postmaster about files that were set aside: a malformed file names no sender
 * that could be told. Any local user can make such files, so there is at most one notice an hour.
 * Lines that do not fit are counted; a notice that was refused is sent with the next one. It is in
 * memory only: `qasid status` counts the files themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/codec.h"
#include "lib/base/fd.h"
#include "lib/base/sys.h"
#include "mail/notice.h"
#include "src/pickup/own_mail.h"

struct notice {
  struct buf lines; /* about files not yet reported */
  size_t count, unlisted;
  uint64_t next_ms;
  struct own_mail mail;
};

struct notice *notice_new(void) {
  struct notice *n = calloc(1, sizeof *n);
  if (!n) return NULL;
  buf_init(&n->lines, PICKUP_NOTICE_MAX);
  return n;
}

void notice_free(struct notice **notice) {
  struct notice *n = *notice;
  if (!n) return;
  *notice = NULL;
  own_mail_free(&n->mail);
  buf_free(&n->lines);
  free(n);
}

void notice_add(struct pickup *p, const char *line) {
  struct notice *n = p->notice;
  size_t room = strlen(line) + 4;
  n->count++;
  if (buf_room(&n->lines) < room) {
    n->unlisted++;
    return;
  }
  for (buf_put_str(&n->lines, "  "); *line; line++)
    buf_put_u8(&n->lines, ascii_is_print(*line) ? (uint8_t)*line : '?');
  buf_put_str(&n->lines, "\r\n");
}

/* --- the mail --- */

static void put_text(struct pickup *p, struct buf *out) {
  const struct notice *n = p->notice;
  struct buf subject, id;
  uint8_t nonce[16];
  buf_init(&subject, 128), buf_init(&id, 64);
  sys_random(nonce, sizeof nonce);
  buf_put_str(&id, "notice");
  hex_put(&id, slice_of(nonce, sizeof nonce));
  buf_printf(&subject, "%zu file%s in the drop folder of sendmail set aside", n->count,
             n->count == 1 ? "" : "s");
  notice_put_header(out, p->process->conf->hostname, buf_slice(&subject), buf_slice(&id),
                    sys_wall_s());
  buf_put_str(out,
              "These files of the drop folder (pickup in data_dir) could not be submitted,\r\n"
              "and are in its folder \"" DROP_ASIDE "\". Nobody else was told. If there is mail\r\n"
              "in one of them, it can be submitted with sendmail; then remove the file.\r\n\r\n");
  buf_put(out, buf_slice(&n->lines));
  if (n->unlisted) buf_printf(out, "  and %zu more, which the log names\r\n", n->unlisted);
  out->failed |= subject.failed || id.failed;
  buf_free(&subject), buf_free(&id);
}

static void on_over(void *arg) {
  struct pickup *p = arg;
  struct notice *n = p->notice;
  uint64_t now = loop_now(p->process->loop);
  bool taken = n->mail.rcpt.verdict.fate == SMTP_DELIVERED;
  n->next_ms = now + (taken ? PICKUP_NOTICE_MS : PICKUP_LATER_MS);
  if (taken) {
    buf_reset(&n->lines);
    n->count = n->unlisted = 0;
  }
  own_mail_free(&n->mail);
  loop_timer_set(p->timer, now);
}

void notice_send(struct pickup *p) {
  struct notice *n = p->notice;
  struct talk_about about = { .over = on_over, .arg = p };
  struct stat st;
  if (!n->count || loop_now(p->process->loop) < n->next_ms) return;
  own_mail_open(&n->mail, 2 * PICKUP_NOTICE_MAX);
  buf_printf(&n->mail.to, "postmaster@%s", p->process->conf->hostname);
  put_text(p, &n->mail.text);
  about.uid = fd_stat(p->folder, &st) == 0 ? st.st_uid : 0;
  sys_random(about.id, sizeof about.id);
  if (own_mail_send(&n->mail, p, &about, 0)) return;
  n->next_ms = loop_now(p->process->loop) + PICKUP_LATER_MS;
  own_mail_free(&n->mail);
}
