/* SPDX-License-Identifier: ISC */
/* Landlock rules by the raw system calls. The numbers are the kernel's
 * (include/uapi/linux/landlock.h), written here because the headers of an older system lack the
 * newer ones. */
#include "runtime/sandbox/landlock.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { ASK_VERSION = 1, PATH_BENEATH = 1, NET_PORT = 2 };

#define FS_WRITE_FILE (1u << 1)
#define FS_READ_FILE (1u << 2)
#define FS_READ_DIR (1u << 3)
#define FS_REMOVE_DIR (1u << 4)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_DIR (1u << 7)
#define FS_MAKE_REG (1u << 8)
#define FS_FIRST ((1u << 13) - 1) /* all rights of version 1 */
#define FS_REFER (1u << 13)       /* version 2: rename from folder to folder */
#define FS_TRUNCATE (1u << 14)    /* 3 */
#define FS_IOCTL_DEV (1u << 15)   /* 5 */
#define NET_BIND_CONNECT 3u       /* 4 */
#define NET_BIND 1u
#define NET_CONNECT 2u
#define SCOPE_ABSTRACT_SIGNAL 3u /* 6 */

struct ruleset {
  uint64_t fs, net, scoped;
};

struct path_beneath {
  uint64_t allowed;
  int32_t parent_fd;
} __attribute__((packed));

struct net_port {
  uint64_t allowed, port;
};

int landlock_version(void) {
  long version = syscall(CREATE_RULESET, NULL, (size_t)0, ASK_VERSION);
  return version > 0 ? (int)version : 0;
}

static uint64_t known_rights(int version) {
  return FS_FIRST | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
         (version >= 5 ? FS_IOCTL_DEV : 0);
}

/* The rights needed to store files: no programs, devices, sockets, links. */
static uint64_t folder_rights(int version) {
  return (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE |
          FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE) &
         known_rights(version);
}

static bool add_ports(int fd, const uint16_t *dials, size_t dial_count, bool binds) {
  struct net_port drawn = { NET_BIND, 0 };
  if (binds && syscall(ADD_RULE, fd, NET_PORT, &drawn, 0) != 0) return false;
  for (size_t i = 0; i < dial_count; i++) {
    struct net_port port = { NET_CONNECT, dials[i] };
    if (syscall(ADD_RULE, fd, NET_PORT, &port, 0) != 0) return false;
  }
  return true;
}

bool landlock_enter(int version, int folder_fd, const uint16_t *dials, size_t dial_count,
                    bool binds) {
  struct ruleset rules = { .fs = known_rights(version) };
  size_t size = offsetof(struct ruleset, net);
  if (version >= LANDLOCK_PORTS) {
    rules.net = NET_BIND_CONNECT;
    size = offsetof(struct ruleset, scoped);
  }
  if (version >= 6) {
    rules.scoped = SCOPE_ABSTRACT_SIGNAL;
    size = sizeof rules;
  }
  int fd = (int)syscall(CREATE_RULESET, &rules, size, 0);
  if (fd < 0) return false;
  struct path_beneath folder = { folder_rights(version), folder_fd };
  bool ok = (folder_fd < 0 || syscall(ADD_RULE, fd, PATH_BENEATH, &folder, 0) == 0) &&
            (version < LANDLOCK_PORTS || add_ports(fd, dials, dial_count, binds)) &&
            syscall(RESTRICT_SELF, fd, 0) == 0;
  close(fd);
  return ok;
}
