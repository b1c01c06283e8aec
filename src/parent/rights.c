/* SPDX-License-Identifier: ISC */
/* Reduces root's capabilities to what the parent still needs once its ports are bound and its
 * folders made. They cannot be regained: they are removed from the bounding set too, so processes,
 * which are started by executing this program as root, never have them either. */
#include "src/parent/parent.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int kept[] = {
  CAP_SETUID,
  CAP_SETGID,          /* a process switches to its own user */
  CAP_SYS_CHROOT,      /* in a root folder of its own */
  CAP_DAC_READ_SEARCH, /* and opens that folder, 0700 and owned by its user, first; key files, at a
                        * reload */
  CAP_KILL,            /* to kill a process that broke a rule */
  CAP_IPC_LOCK,        /* the keys process locks its memory */
};

static bool is_kept(int cap) {
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (kept[i] == cap) return true;
  return false;
}

bool rights_reduce(struct buf *err) {
  struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
  bool good = syscall(SYS_capget, &head, data) == 0;
  for (int cap = 0; cap < 64; cap++) {
    if (is_kept(cap)) continue;
    /* Fails for capabilities that this kernel lacks, and without CAP_SETPCAP, if a supervisor has
     * set the bounds already. */
    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    data[cap / 32].effective &= ~(1u << cap % 32);
    data[cap / 32].permitted &= ~(1u << cap % 32);
  }
  for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) data[i].inheritable = 0;
  if (good && syscall(SYS_capset, &head, data) == 0) return true;
  buf_printf(err, "root's rights can't be reduced: %s", strerror(errno));
  return false;
}
