/* SPDX-License-Identifier: ISC */
/* The record of servers' TLS (had_tls.h): the file's name is a digest of host and port, its
 * contents state them for people. Invariant: a file is only created, never changed. */
#include "src/cli/client/had_tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/codec.h"
#include "lib/tls/digest.h"
#include "src/cli/client/memory.h"

bool had_tls_path(const char *kind, struct slice of, char *to, size_t room) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  struct buf name;
  buf_init(&name, 2 * DIGEST_SHA256_SIZE);
  int n = -1;
  if (digest_of(DIGEST_SHA256, of, digest)) hex_put(&name, slice_of(digest, 16));
  struct slice hex = buf_slice(&name);
  if (hex.n && state && state[0] == '/')
    n = snprintf(to, room, "%s/qasid/%s-%.*s", state, kind, SLICE_ARG(hex));
  else if (hex.n && home && home[0] == '/')
    n = snprintf(to, room, "%s/.local/state/qasid/%s-%.*s", home, kind, SLICE_ARG(hex));
  buf_free(&name);
  return n > 0 && (size_t)n < room;
}

static bool path_of(const struct url *url, char *to, size_t room, char *name, size_t name_room) {
  int n = snprintf(name, name_room, "%s:%u\n", url->host, url->port);
  for (char *p = name; *p; p++) *p = (char)ascii_lower((uint8_t)*p);
  return n > 0 && had_tls_path("had-tls", slice_str(name), to, room);
}

bool had_tls_before(const struct url *url) {
  char path[4096], name[300];
  return path_of(url, path, sizeof path, name, sizeof name) && access(path, F_OK) == 0;
}

void had_tls_note(const struct url *url) {
  char path[4096], name[300];
  if (!path_of(url, path, sizeof path, name, sizeof name) || access(path, F_OK) == 0 ||
      !memory_make_folders(path))
    return;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  ssize_t n = write(fd, name, strlen(name));
  (void)n; /* only its existence counts */
  fsync(fd);
  close(fd);
}
