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
#include "src/pickup/pickup.h"

struct notice {
  struct buf lines; /* about files not yet reported */
  size_t count, unlisted;
  uint64_t next_ms;
  bool given;
  size_t at; /* octets of `text` sent */
  struct buf to, text;
  struct smtp_letter letter;
  struct smtp_letter_rcpt rcpt;
};

struct notice *notice_new(void) {
  struct notice *n = calloc(1, sizeof *n);
  if (!n) return NULL;
  buf_init(&n->lines, PICKUP_NOTICE_MAX);
  buf_init(&n->to, 1024);
  buf_init(&n->text, 2 * PICKUP_NOTICE_MAX);
  return n;
}

static void forget_mail(struct notice *n) {
  if (n->letter.count) smtp_letter_free_verdicts(&n->letter);
  n->letter = (struct smtp_letter){ 0 };
  buf_reset(&n->to), buf_reset(&n->text);
}

void notice_free(struct notice **notice) {
  struct notice *n = *notice;
  if (!n) return;
  *notice = NULL;
  forget_mail(n);
  buf_free(&n->lines), buf_free(&n->to), buf_free(&n->text);
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

static struct smtp_letter *on_next(void *arg) {
  struct notice *n = ((struct pickup *)arg)->notice;
  if (n->given) return NULL;
  n->given = true;
  return &n->letter;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct notice *n = ((struct pickup *)arg)->notice;
  struct slice piece = slice_first(slice_from(buf_slice(&n->text), n->at), most);
  buf_put(out, piece);
  n->at += piece.n;
  return n->at == buf_len(&n->text) ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

static void on_done(void *arg, struct smtp_letter *l) {
} /* its verdict is examined when the session is over */

static void on_over(void *arg) {
  struct pickup *p = arg;
  struct notice *n = p->notice;
  uint64_t now = loop_now(p->process->loop);
  bool taken = n->rcpt.verdict.fate == SMTP_DELIVERED;
  n->next_ms = now + (taken ? PICKUP_NOTICE_MS : PICKUP_LATER_MS);
  if (taken) {
    buf_reset(&n->lines);
    n->count = n->unlisted = 0;
  }
  forget_mail(n);
  loop_timer_set(p->timer, now);
}

void notice_send(struct pickup *p) {
  struct notice *n = p->notice;
  struct talk_about about = { 0, { 0 }, { on_next, on_read, on_done, p }, on_over };
  struct stat st;
  if (!n->count || loop_now(p->process->loop) < n->next_ms) return;
  buf_printf(&n->to, "postmaster@%s", p->process->conf->hostname);
  put_text(p, &n->text);
  n->rcpt = (struct smtp_letter_rcpt){ .address = buf_slice(&n->to) };
  n->letter = (struct smtp_letter){ .size = buf_len(&n->text), .rcpts = &n->rcpt, .count = 1 };
  n->given = false;
  n->at = 0;
  about.uid = fd_stat(p->folder, &st) == 0 ? st.st_uid : 0;
  sys_random(about.id, sizeof about.id);
  if (n->to.failed || n->text.failed || !talk_begin(p, &about)) {
    n->next_ms = loop_now(p->process->loop) + PICKUP_LATER_MS;
    forget_mail(n);
  }
}
