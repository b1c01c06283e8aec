/* SPDX-License-Identifier: ISC */
/* Writes and counts the files of the drop folder, which its owner, the role `pickup`, submits.
 * Invariant: a file has a name that pickup submits only once all of it is on the disk. */
#include "src/cli/base/drops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/codec.h"
#include "lib/base/fd.h"
#include "lib/base/sys.h"
#include "mail/smtp/drop.h"
#include "src/cli/base/cli.h"

enum { PATH_ROOM = 1200 };

/* --- counting --- */

static bool count_in(const char *path, bool whole_only, size_t *ret) {
  DIR *d = opendir(path);
  if (!d) return false;
  uint8_t id[DROP_ID];
  for (struct dirent *e; (e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    *ret += !whole_only || (e->d_type != DT_DIR && drop_is_name(slice_str(e->d_name), id));
  }
  closedir(d);
  return true;
}

bool drops_count(const struct conf *conf, struct drops *ret) {
  char path[PATH_ROOM];
  *ret = (struct drops){ 0 };
  snprintf(path, sizeof path, "%s/" DROP_FOLDER "/" DROP_ASIDE, conf->data_dir);
  if (!count_in(path, false, &ret->aside)) return false;
  snprintf(path, sizeof path, "%s/" DROP_FOLDER, conf->data_dir);
  return count_in(path, true, &ret->waiting);
}

/* --- leaving a message --- */

/* Users who may write into the folder cannot open it for reading, so its new name is made durable
 * by syncing the file system. */
static bool write_file(int folder, const char *unfinished, const char *name, struct slice head,
                       struct slice message) {
  int fd = openat(folder, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  bool good = fchmod(fd, 0644) == 0 && /* regardless of the umask: pickup is another user */
              fd_write_all(fd, head) && fd_write_all(fd, message) && fsync(fd) == 0 &&
              renameat(folder, unfinished, folder, name) == 0 && syncfs(fd) == 0;
  int why = errno;
  close(fd);
  if (!good) unlinkat(folder, unfinished, 0), unlinkat(folder, name, 0);
  errno = why;
  return good;
}

static int leave_file(const char *data_dir, struct slice head, struct slice message) {
  char path[PATH_ROOM], unfinished[sizeof DROP_UNFINISHED + DROP_NAME];
  uint8_t id[DROP_ID];
  int n = snprintf(unfinished, sizeof unfinished, DROP_UNFINISHED);
  char *name = unfinished + n;
  sys_random(id, sizeof id);
  hex_text(name, slice_of(id, sizeof id));
  snprintf(path, sizeof path, "%s/" DROP_FOLDER, data_dir);
  signal(SIGXFSZ, SIG_IGN); /* reaching a file size limit is an error of write(2) */
  int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  bool good = folder >= 0 && write_file(folder, unfinished, name, head, message);
  int why = errno;
  if (folder >= 0) close(folder);
  if (good) return CLI_EXIT_OK;
  return cli_fail(CLI_EXIT_TEMPORARY,
                  "the server is not running, and the message cannot be left for it in %s: %s",
                  path, strerror(why));
}

/* --- the envelope --- */

static void put_from(const struct smtp_letter *l, struct buf *out) {
  buf_printf(out, "FROM:<%.*s>%s", SLICE_ARG(l->return_path), l->eight_bit ? " BODY=8BITMIME" : "");
  smtp_ret_put(out, l->ret);
  buf_printf(out, "%s%.*s", l->envid.n ? " ENVID=" : "", SLICE_ARG(l->envid));
}

static void put_to(const struct smtp_letter_rcpt *r, struct buf *out) {
  buf_printf(out, "TO:<%.*s>", SLICE_ARG(r->address));
  smtp_notify_put(out, r->notify);
  buf_put_u8(out, '\n');
}

/* Refuses now what pickup would refuse. */
static const char *put_head(const struct smtp_letter *l, struct slice domain, uint64_t size,
                            struct buf *head) {
  struct buf from, to;
  struct drop d = { .size = size }, again;
  buf_init(&from, 4096), buf_init(&to, DROP_HEAD_MAX);
  put_from(l, &from);
  for (size_t i = 0; i < l->count; i++) put_to(&l->rcpts[i], &to);
  d.from = buf_slice(&from), d.recipients = buf_slice(&to);
  drop_put(head, &d);
  const char *wrong = from.failed || to.failed || head->failed
                          ? "too many recipients"
                          : drop_read(buf_slice(head), buf_len(head) + size, domain, &again);
  buf_free(&from), buf_free(&to);
  return wrong;
}

int drops_leave(const char *data_dir, const struct smtp_letter *l, struct slice domain,
                struct slice message) {
  struct buf head;
  buf_init(&head, DROP_HEAD_MAX);
  const char *wrong = put_head(l, domain, message.n, &head);
  int code = wrong ? cli_fail(CLI_EXIT_USAGE, "%s is not as it should be", wrong)
                   : leave_file(data_dir, buf_slice(&head), message);
  buf_free(&head);
  return code;
}
