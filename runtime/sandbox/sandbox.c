/* SPDX-License-Identifier: ISC */
/* The steps of confinement, in their order; see sandbox.h for what each process ends up with. */
#include "runtime/sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/sandbox/folder.h"
#include "runtime/sandbox/landlock.h"
#include "runtime/sandbox/profiles.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* its shadow memory has no limit, and its leak check attaches to the process */
enum { INSTRUMENTED = 1 };
#else
enum { INSTRUMENTED = 0 };
#endif

static bool failed(struct buf *err, const char *what) {
  buf_printf(err, "%s: %s", what, strerror(errno));
  return false;
}

static void put_missing(struct buf *missing, const char *what) {
  if (buf_len(missing)) buf_put_str(missing, "; ");
  buf_put_str(missing, what);
}

/* Preloads what the C library would open later, at its first use of a calendar date. */
static void warm_up(void) {
  time_t now = time(NULL);
  struct tm tm;
  tzset();
  gmtime_r(&now, &tm);
}

static bool change_root(struct sandbox_profile *p, struct buf *missing, struct buf *err) {
  if (!p->root_dir) return true;
  if (chroot(p->root_dir) == 0)
    return chdir("/") == 0 || failed(err, "can't enter the new root folder");
  if (errno != EPERM) {
    buf_printf(err, "can't make %s the root folder: %s", p->root_dir, strerror(errno));
    return false;
  }
  put_missing(missing, "a root folder of its own (root lacks CAP_SYS_CHROOT)");
  p->root_dir = NULL; /* without a new root folder, paths stay valid */
  return true;
}

static bool change_user(const struct sandbox_profile *p, struct buf *err) {
  if (p->uid == 0 || p->gid == 0) {
    buf_put_str(err, "a process must not run as root; set the option `user` to another account");
    return false;
  }
  if (setgroups(0, NULL) != 0) return failed(err, "can't give up root's groups");
  if (setresgid(p->gid, p->gid, p->gid) != 0)
    return failed(err, "can't take the process's group id");
  if (setresuid(p->uid, p->uid, p->uid) != 0)
    return failed(err, "can't take the process's user id");
  if (setuid(0) == 0) {
    buf_put_str(err, "root's rights came back after they were given up");
    return false;
  }
  return true;
}

/* Sets a limit; *most receives the value in force. */
static bool limit(int which, uint64_t *most) {
  struct rlimit now;
  if (getrlimit(which, &now) != 0) return false;
  if (*most > now.rlim_max) *most = now.rlim_max;
  now = (struct rlimit){ *most, *most };
  return setrlimit(which, &now) == 0;
}

static bool logs_to_a_file(void) {
  struct stat st;
  return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

static bool set_limits(struct sandbox_profile *p, struct buf *err) {
  uint64_t core = 0, size = p->folder ? p->file_size : 0;
  bool whole = role_rows[p->role].class != ROLE_CLASS_NONE;
  bool threads = p->threads || role_rows[p->role].class != ROLE_CLASS_FILES;
  bool ok = limit(RLIMIT_CORE, &core) &&
            (p->descriptors == 0 || limit(RLIMIT_NOFILE, &p->descriptors)) &&
            (p->memory == 0 || INSTRUMENTED || limit(RLIMIT_AS, &p->memory));
  bool writes = p->folder && role_rows[p->role].class != ROLE_CLASS_DROPS;
  if (ok && whole && (writes ? size > 0 : !logs_to_a_file())) ok = limit(RLIMIT_FSIZE, &size);
  if (ok && whole && !INSTRUMENTED && threads) ok = limit(RLIMIT_NPROC, &p->threads);
  return ok || failed(err, "can't set resource limits");
}

/* --- Landlock --- */

/* The second version is the first that can rename between the folders of a store. */
static bool enter_landlock(const struct sandbox_profile *p, int folder_fd, struct buf *missing,
                           struct buf *err) {
  int version = landlock_version();
  if (version < (folder_fd < 0 ? 1 : 2)) {
    put_missing(missing, folder_fd < 0 ? "Landlock (Linux 5.13, enabled)"
                                       : "Landlock 2 (Linux 5.19, enabled)");
    return true;
  }
  if (p->dial_count && version < LANDLOCK_PORTS)
    put_missing(missing, "Landlock 4 (Linux 6.7), which tells TCP ports apart");
  return landlock_enter(version, folder_fd, p->dials, p->dial_count, p->binds) ||
         failed(err, "Landlock refused its rules");
}

/* --- seccomp --- */

/* (argument & datum_a) == datum_b. False: there is no condition. The upper half of a number is left
 * out: the kernel ignores it too. */
static bool condition(const struct sandbox_condition *c, struct scmp_arg_cmp *ret) {
  uint64_t mask = 0xffffffff, value = c->value;
  switch (c->test) {
  case ALWAYS: return false;
  case EQUAL: break;
  case IS_NULL: mask = UINT64_MAX; break;
  case OWN_PID: value = (uint64_t)getpid(); break;
  case BITS_OFF: mask = c->value, value = 0; break;
  case BITS_ON: mask = c->value; break;
  case AMONG: mask &= ~c->but; break;
  }
  *ret = (struct scmp_arg_cmp){
    .arg = c->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
  };
  return true;
}

static int add_call(scmp_filter_ctx ctx, const struct sandbox_call *call) {
  struct scmp_arg_cmp cmp[2];
  unsigned n = 0;
  if (condition(&call->a, &cmp[n])) n++;
  if (condition(&call->b, &cmp[n])) n++;
  uint32_t action = call->refuse ? SCMP_ACT_ERRNO((uint32_t)call->refuse) : SCMP_ACT_ALLOW;
  int rc = seccomp_rule_add_array(ctx, action, call->number, n, cmp);
  /* -EDOM: this architecture has no such call. -EEXIST: there is already a row without
   * conditions. */
  return rc == -EDOM || rc == -EEXIST ? 0 : rc;
}

static int add_list(scmp_filter_ctx ctx, enum role role, const struct sandbox_call *list,
                    size_t count) {
  for (size_t i = 0; i < count; i++) {
    int rc = list[i].roles & 1u << role ? add_call(ctx, &list[i]) : 0;
    if (rc != 0) return rc;
  }
  return 0;
}

/* 0 or a negative errno. */
static int fill_filter(scmp_filter_ctx ctx, enum role role) {
  size_t count, tools;
  const struct sandbox_call *list = sandbox_calls(&count), *tool_list = sandbox_tool_calls(&tools);
  int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (rc == 0) rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
  if (rc == 0) rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);      /* set already */
  if (rc == 0) rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
  if (rc == 0) rc = add_list(ctx, role, tool_list, tools);
  if (rc == 0) rc = add_list(ctx, role, list, count);
  return rc;
}

static bool enter_seccomp(enum role role, struct buf *missing, struct buf *err) {
  if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
    put_missing(missing, "seccomp (a kernel with CONFIG_SECCOMP_FILTER)");
    return true;
  }
  scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
  int rc = ctx ? fill_filter(ctx, role) : -ENOMEM;
  if (rc == 0) rc = seccomp_load(ctx);
  if (ctx) seccomp_release(ctx);
  if (rc == 0) return true;
  errno = -rc;
  return failed(err, "seccomp refused its filter");
}

size_t sandbox_syscalls(enum role role) {
  size_t count, n = 0;
  const struct sandbox_call *list = sandbox_calls(&count);
  for (size_t i = 0; i < count; i++) {
    bool mine = list[i].roles & 1u << role && !list[i].refuse;
    for (size_t before = 0; mine && before < i; before++)
      mine = list[before].number != list[i].number || !(list[before].roles & 1u << role);
    n += mine;
  }
  return n;
}

void sandbox_put_counts(struct buf *to) {
  for (enum role role = 0; role < ROLE_COUNT; role++) {
    size_t n = sandbox_syscalls(role);
    if (n) buf_printf(to, "%s: %zu system calls\n", role_name(role), n);
  }
}

/* --- all of it --- */

static bool confine(struct sandbox_profile *p, int folder_fd, struct buf *missing,
                    struct buf *err) {
  bool whole = role_rows[p->role].class != ROLE_CLASS_NONE;
  if (whole && p->started_as_root && (!change_root(p, missing, err) || !change_user(p, err)))
    return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return failed(err, "can't give up new privileges");
  if (!set_limits(p, err)) return false;
  if (!whole) return true;
  if (!INSTRUMENTED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return failed(err, "can't hide the memory");
  return enter_landlock(p, folder_fd, missing, err) && enter_seccomp(p->role, missing, err);
}

bool sandbox_enter(struct sandbox_profile *p, struct buf *missing, struct buf *err) {
  int folder_fd = -1;
  warm_up();
  if (p->folder && (folder_fd = sandbox_folder(p->folder)) < 0) {
    buf_printf(err, "can't open the folder %s: %s", p->folder, strerror(errno));
    return false;
  }
  bool ok = confine(p, folder_fd, missing, err);
  if (folder_fd >= 0) close(folder_fd);
  return ok;
}
