/* SPDX-License-Identifier: ISC */
/* `qasid backup`: joins the archives that store and auth send into one archive of the data folder.
 *
 * Each process sends an archive of its own folder; here the folder's name is prepended to the
 * paths, and the archives are joined: the end of each but the last is left out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/tar/tar.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/link.h"

struct joiner {
  int fd;
  const char *folder;
  struct buf head; /* of a header block */
  uint64_t left;   /* octets left of the current file with its padding */
  bool ended;
  uint64_t files, octets;
  bool damaged; /* a process reported damage in what it sent; the backup itself is complete */
  const char *error;
};

static bool fail(struct joiner *j, const char *why) {
  j->error = why;
  return false;
}

static bool write_all(struct joiner *j, struct slice s) {
  while (s.n) {
    ssize_t n = write(j->fd, s.p, s.n);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(j, strerror(errno));
    s = slice_from(s, (size_t)n);
    j->octets += (size_t)n;
  }
  return true;
}

static bool take_header(struct joiner *j) {
  struct tar_entry e;
  struct buf out;
  enum tar_read r = tar_read_header(buf_slice(&j->head).p, &e);
  buf_reset(&j->head);
  if (r == TAR_BAD) return fail(j, "a process's backup is not understood");
  j->ended = r == TAR_END;
  if (j->ended) return true;
  char path[sizeof e.path];
  int n = snprintf(path, sizeof path, "%s/%s", j->folder, e.path);
  if (n < 0 || (size_t)n >= sizeof path) return fail(j, "a path in a process's backup is too long");
  memcpy(e.path, path, sizeof path);
  buf_init(&out, TAR_BLOCK);
  bool ok = tar_put_header(&out, &e) ? write_all(j, buf_slice(&out))
                                     : fail(j, "a path in a process's backup is too long");
  buf_free(&out);
  j->left = e.size + tar_padding(e.size);
  j->files += !e.folder;
  return ok;
}

static bool take(struct joiner *j, struct slice s) {
  while (s.n && !j->ended) {
    size_t n;
    if (j->left) {
      n = s.n < j->left ? s.n : (size_t)j->left;
      if (!write_all(j, slice_first(s, n))) return false;
      j->left -= n;
    } else {
      n = TAR_BLOCK - buf_len(&j->head);
      if (n > s.n) n = s.n;
      buf_put(&j->head, slice_first(s, n));
      if (j->head.failed) return fail(j, "no memory");
      if (buf_len(&j->head) == TAR_BLOCK && !take_header(j)) return false;
    }
    s = slice_from(s, n);
  }
  return true; /* only zeros follow the end */
}

/* One process's part. */
static int connect_process(struct cli *c, struct joiner *j, enum role kind) {
  int code;
  struct link_reply reply;
  struct slice words[] = { SLICE("backup") };
  struct cli_link *l = link_open(c, kind, 0, &code);
  if (!l)
    return code == CLI_EXIT_NOT_FOUND
               ? cli_fail(CLI_EXIT_UNAVAILABLE, "%s does not run now", role_name(kind))
               : code;
  j->folder = role_name(kind);
  j->ended = false;
  bool ok = link_ask(l, words, 1);
  reply =
      (struct link_reply){ LINK_LOST, SLICE("the server did not accept the command"), CLI_TROUBLE };
  while (ok && link_next(l, &reply) <= LINK_OUTPUT)
    if (reply.event == LINK_OUTPUT) ok = take(j, reply.data);
  code = j->error ? cli_fail(CLI_EXIT_IO, "%s", j->error) : link_finish(&reply);
  if (code == CLI_EXIT_DATA && j->ended) {
    j->damaged = true;
    code = CLI_EXIT_OK;
  }
  if (code == CLI_EXIT_OK && !j->ended)
    code = cli_fail(CLI_EXIT_PROTOCOL, "%s's backup has no end", j->folder);
  link_free(&l);
  return code;
}

static int write_backup(struct cli *c, struct joiner *j, bool to_file) {
  struct buf end;
  /* The logins first: an account made meanwhile is then a mailbox without a login, which
   * `qasid account add` completes. */
  int code = connect_process(c, j, ROLE_AUTH);
  if (code == CLI_EXIT_OK) code = connect_process(c, j, ROLE_STORE);
  if (code != CLI_EXIT_OK) return code;
  buf_init(&end, 2 * TAR_BLOCK);
  tar_put_end(&end);
  bool ok = !end.failed && write_all(j, buf_slice(&end)) && (!to_file || fsync(j->fd) == 0);
  buf_free(&end);
  return ok ? CLI_EXIT_OK
            : cli_fail(CLI_EXIT_IO, "the backup cannot be written: %s", strerror(errno));
}

int cmd_backup(struct cli *c) {
  const char *path = c->args[0];
  bool to_file = strcmp(path, "-") != 0;
  struct joiner j = { .fd = to_file ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
                                    : dup(STDOUT_FILENO) };
  if (j.fd < 0)
    return cli_fail(errno == EEXIST ? CLI_EXIT_EXISTS : CLI_EXIT_IO, "%s: %s", path,
                    strerror(errno));
  buf_init(&j.head, TAR_BLOCK);
  int code = write_backup(c, &j, to_file);
  if (close(j.fd) != 0 && code == CLI_EXIT_OK)
    code = cli_fail(CLI_EXIT_IO, "%s: %s", path, strerror(errno));
  if (code != CLI_EXIT_OK && to_file) unlink(path);
  if (code == CLI_EXIT_OK)
    fprintf(stderr, "%llu files, %llu octets\n", (unsigned long long)j.files,
            (unsigned long long)j.octets);
  if (code == CLI_EXIT_OK && j.damaged) code = CLI_EXIT_DATA;
  buf_free(&j.head);
  return code;
}
