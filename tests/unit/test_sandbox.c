/* SPDX-License-Identifier: ISC */
/* Confinement from inside: for each process and each forbidden call one process that tries it and
 * must be killed or refused; and what each process has to be able to do, done in its sandbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/sys.h"
#include "lib/disk/disk.h"
#include "runtime/sandbox/landlock.h"
#include "runtime/sandbox/sandbox.h"
#include "lib/tls/key.h"
#include "lib/tls/selfsigned.h"
#include "lib/tls/tls.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { INSTRUMENTED = 1 };
#else
enum { INSTRUMENTED = 0 };
#endif

enum { NOBODY = 65534, ENTER_FAILED = 200, ALLOWED = 201, HAS_MISSING = 202 };

static const struct row {
  enum role role;
  const char *name;
  bool files, dials;
  size_t syscalls; /* the reviewed number; see runtime/sandbox/profiles.c before changing it */
} roles[] = {
  { ROLE_SMTPD, "smtpd", false, false, 27 },        { ROLE_POP3D, "pop3d", false, false, 27 },
  { ROLE_AUTH, "auth", true, false, 63 },           { ROLE_KEYS, "keys", true, false, 35 },
  { ROLE_STORE, "store", true, false, 63 },         { ROLE_RESOLVER, "resolver", false, true, 42 },
  { ROLE_COLLECTOR, "collector", false, true, 29 }, { ROLE_SENDER, "sender", false, true, 30 },
  { ROLE_PICKUP, "pickup", true, false, 33 },
};
enum { ROLES = sizeof roles / sizeof *roles };

/* How the process gets into its sandbox. */
enum way { AS_STARTED, AS_USER, AS_ROOT_CHROOT, WAYS };

static char folder[64], empty[64];

static void make_folders(void) {
  snprintf(folder, sizeof folder, "/tmp/qasid-sandbox-XXXXXX");
  snprintf(empty, sizeof empty, "/tmp/qasid-empty-XXXXXX");
  assert_non_null(mkdtemp(folder));
  assert_non_null(mkdtemp(empty));
  assert_int_equal(chmod(empty, 0755), 0);
  assert_int_equal(chown(folder, getuid() == 0 ? NOBODY : getuid(), getgid()), 0);
}

static void enter(const struct row *r, enum way way) {
  static const uint16_t port = 53;
  struct sandbox_profile p = { .role = r->role,
                               .folder = r->files ? folder : NULL,
                               .dials = &port };
  p.dial_count = r->dials && landlock_version() >= LANDLOCK_PORTS;
  struct buf missing, err;
  buf_init(&missing, 512);
  buf_init(&err, 512);
  if (way == AS_USER && getuid() == 0 && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
    _exit(ENTER_FAILED);
  if (way == AS_ROOT_CHROOT) {
    p.started_as_root = true;
    p.root_dir = r->files ? folder : empty;
    p.uid = p.gid = NOBODY;
  }
  if (!sandbox_enter(&p, &missing, &err)) {
    dprintf(2, "%s: %.*s\n", r->name, SLICE_ARG(buf_slice(&err)));
    _exit(ENTER_FAILED);
  }
  if (buf_len(&missing)) {
    dprintf(2, "%s lacks: %.*s\n", r->name, SLICE_ARG(buf_slice(&missing)));
    _exit(HAS_MISSING);
  }
}

static bool way_is_open(enum way way) { return way != AS_ROOT_CHROOT || getuid() == 0; }

/* Runs fn in a child; returns its wait status. */
static int in_child(void (*fn)(const void *), const void *arg) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    fn(arg);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

struct attempt {
  const struct row *row;
  const char *word;
  enum way way;
};

static void attempt(const void *arg) {
  const struct attempt *a = arg;
  enter(a->row, a->way);
  int refused = sandbox_probe(a->word);
  _exit(refused == 0 ? ALLOWED : refused > 0 && refused < ENTER_FAILED ? refused : ENTER_FAILED);
}

/* Sanitizer builds let their own tools through; what is then not refused by Landlock either is not
 * asked. */
static bool is_blurred(const char *word) {
  static const char *const words[] = { "clone", "setrlimit", "process_vm_readv", "openat-root",
                                       "newfstatat-path" };
  for (size_t i = 0; INSTRUMENTED && i < sizeof words / sizeof *words; i++)
    if (!strcmp(word, words[i])) return true;
  return false;
}

/* What a process that dials has to be able to call; to whom, is Landlock's to say where it can. */
static bool is_allowed(const struct row *r, const char *word) {
  static const char *const words[] = { "socket", "connect", "bind", "tcp-connect", "tcp-bind" };
  size_t n = landlock_version() >= LANDLOCK_PORTS ? 3 : 5;
  for (size_t i = 0; r->dials && i < n; i++)
    if (!strcmp(word, words[i])) return true;
  return false;
}

static void forbidden_calls(void **state) {
  (void)state;
  size_t asked = 0, wrong = 0;
  for (size_t r = 0; r < ROLES; r++)
    for (size_t i = 0; sandbox_probe_word(i); i++)
      for (enum way way = 0; way < WAYS; way++) {
        struct attempt a = { &roles[r], sandbox_probe_word(i), way };
        if (!way_is_open(way) || is_blurred(a.word) || is_allowed(a.row, a.word)) continue;
        /* In its own root folder there is nothing to open but the folder that is the process's own.
         */
        if (way == AS_ROOT_CHROOT && roles[r].files && !strcmp(a.word, "openat-root")) continue;
        int status = in_child(attempt, &a);
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        bool refused = (a.row->dials && code == EOPNOTSUPP) || code == EACCES || code == EPERM ||
                       (way == AS_ROOT_CHROOT && code == ENOENT);
        asked++;
        if (killed || refused) continue;
        wrong++;
        print_error("%s may %s (way %d): status %x\n", roles[r].name, a.word, (int)way,
                    (unsigned)status);
      }
  print_message("%zu attempts, %zu not stopped\n", asked, wrong);
  assert_int_equal(wrong, 0);
  assert_int_equal(access("/tmp/.sandbox-probe", F_OK), -1);
}

static void count_of_calls(void **state) {
  (void)state;
  for (size_t r = 0; r < ROLES; r++) {
    if (sandbox_syscalls(roles[r].role) != roles[r].syscalls)
      print_error("%s may make %zu system calls\n", roles[r].name, sandbox_syscalls(roles[r].role));
    assert_int_equal(sandbox_syscalls(roles[r].role), roles[r].syscalls);
  }
}

/* --- what must work --- */

#define MUST(condition)                                                        \
  do {                                                                         \
    if (!(condition)) {                                                        \
      dprintf(2, "line %d: %s (%s)\n", __LINE__, #condition, strerror(errno)); \
      _exit(1);                                                                \
    }                                                                          \
  } while (0)

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void common_work(const struct row *r) {
  struct log log = { .fd = open("/dev/null", O_WRONLY), .least = LOG_INFO_ };
  int epoll = epoll_create1(EPOLL_CLOEXEC), pair[2];
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
  enter(r, AS_STARTED);
  log_print(&log, LOG_E_READY, "a line with a date in it");
  uint8_t chance[512];
  sys_random(chance, sizeof chance);
  void *many[64];
  for (size_t i = 0; i < 64; i++) MUST((many[i] = malloc((size_t)1 << (i % 22))) != NULL);
  for (size_t i = 0; i < 64; i++) free(many[i]);
  static int numbers[5000];
  for (int i = 0; i < 5000; i++) numbers[i] = 5000 - i;
  /* large: asks for the machine's memory, takes its own */
  qsort(numbers, 5000, sizeof *numbers, by_value);
  MUST(numbers[0] == 1);
  struct epoll_event e = { .events = EPOLLIN };
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &e) == 0);
  MUST(send(pair[1], "x", 1, MSG_NOSIGNAL) == 1);
  MUST(epoll_wait(epoll, &e, 1, 1000) == 1);
  MUST(recv(pair[0], chance, 8, 0) == 1);
  close(pair[0]);
}

static void *thread(void *arg) {
  void *p = malloc(200000);
  if (p) memset(p, 1, 200000);
  free(p);
  uint64_t one = 1;
  MUST(write(*(int *)arg, &one, sizeof one) == sizeof one);
  /* Landlock and seccomp hold for threads too. */
  MUST(open("/etc/passwd", O_RDONLY) < 0);
  return NULL;
}

static void count_entry(void *arg, const char *entry) { ++*(size_t *)arg; }

static void files_work(void) {
  int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_t threads[4];
  MUST(wake >= 0);
  for (size_t i = 0; i < 4; i++) MUST(pthread_create(&threads[i], NULL, thread, &wake) == 0);
  for (size_t i = 0; i < 4; i++) MUST(pthread_join(threads[i], NULL) == 0);
  int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  MUST(dir >= 0);
  mkdirat(dir, "a", 0700);
  mkdirat(dir, "b", 0700);
  int fd = openat(dir, "a/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  MUST(fd >= 0);
  MUST(pwrite(fd, "hello", 5, 0) == 5);
  MUST(ftruncate(fd, 3) == 0);
  MUST(fdatasync(fd) == 0 && fsync(dir) == 0 && syncfs(dir) == 0);
  MUST(renameat(dir, "a/x", dir, "b/x") == 0);
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  MUST(fcntl(fd, F_OFD_SETLK, &lock) == 0);
  MUST(unlinkat(dir, "b/x", 0) == 0);
  MUST(unlinkat(dir, "a", AT_REMOVEDIR) == 0 && unlinkat(dir, "b", AT_REMOVEDIR) == 0);
  struct rlimit limits;
  struct stat st;
  MUST(getrlimit(RLIMIT_CORE, &limits) == 0 && limits.rlim_max == 0);
  MUST(syscall(SYS_fstat, fd, &st) == 0 && st.st_size == 3);
  MUST(openat(dir, "../passwd", O_RDONLY) < 0);
  MUST(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
}

/* keys writes its files through lib/disk, and starts no thread. */
static void key_files_work(void) {
  int error;
  size_t seen = 0;
  char octets[5];
  struct disk_file *f;
  struct disk *d = disk_posix_open(folder, &error);
  MUST(d && d->ops->remove(d, "new.x") == -ENOENT);
  MUST(d->ops->open(d, "new.x", DISK_CREATE, &f) == 0);
  MUST(d->ops->write(f, SLICE("hello"), 0) == 0 && d->ops->sync(f) == 0);
  d->ops->close(&f);
  MUST(d->ops->rename(d, "new.x", "dkim.x") == 0 && d->ops->sync_dir(d, ".") == 0);
  MUST(d->ops->list(d, ".", count_entry, &seen) == 0 && seen == 1);
  MUST(d->ops->open(d, "dkim.x", DISK_READ, &f) == 0);
  MUST(d->ops->size(f) == 5 && d->ops->read(f, octets, 5, 0) == 5);
  d->ops->close(&f);
  MUST(d->ops->remove(d, "dkim.x") == 0);
  MUST(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
}

/* pickup finds in its folder what others put there, and makes nothing. */
static void drop_files_work(void) {
  char names[4096], octets[5];
  struct stat st;
  int dir = openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ends[2];
  MUST(dir >= 0 && getdents64(dir, names, sizeof names) > 0 && lseek(dir, 0, SEEK_SET) == 0);
  int fd = openat(dir, "left", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  MUST(fd >= 0 && syscall(SYS_fstat, fd, &st) == 0 && pread(fd, octets, 5, 0) == 5);
  MUST(renameat(dir, "left", dir, "aside/x") == 0 && fsync(dir) == 0);
  MUST(openat(dir, "link", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
  MUST(unlinkat(dir, "link", 0) == 0 && unlinkat(dir, "aside/x", 0) == 0);
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  MUST(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
}

static void put_drops(void) {
  char path[128];
  snprintf(path, sizeof path, "%s/aside", folder);
  mkdir(path, 0700);
  MUST(chown(path, getuid() == 0 ? NOBODY : getuid(), getgid()) == 0);
  snprintf(path, sizeof path, "%s/link", folder);
  MUST(symlink("/etc/passwd", path) == 0);
  snprintf(path, sizeof path, "%s/left", folder);
  FILE *f = fopen(path, "w");
  MUST(f && fputs("hello", f) >= 0 && fclose(f) == 0);
}

struct signer {
  struct tls_key *key;
};

static bool sign(void *arg, unsigned key, enum key_use use, struct slice in, struct buf *out) {
  struct signer *s = arg;
  return key == 0 && tls_key_sign(s->key, use, in, out);
}

/* A TLS service made, and a whole handshake, after the confinement: nothing of OpenSSL opens a
 * file. */
static void handshake_work(int fds[2]) {
  static const char *const names[] = { "a.example" };
  struct buf cert, key, err;
  buf_init(&cert, 8192);
  buf_init(&key, 8192);
  buf_init(&err, 512);
  MUST(tls_make_self_signed(names, 1, &cert, &key));
  struct signer signer = { tls_key_load(buf_slice(&key), &err) };
  struct slice chain = buf_slice(&cert);
  struct tls_service service = {
    .name = "smtp", .chains = &chain, .chain_count = 1, .signer = { sign, &signer }
  };
  struct tls_server *server = tls_server_new(&service, &err);
  struct tls_client_options options = { .trust = TLS_TRUST_GIVEN, .authorities = chain };
  struct tls_client *client = tls_client_new(&options, &err);
  MUST(server && client);
  struct tls_conn *a = tls_accept(server, fds[0]), *b = tls_connect(client, fds[1], "a.example");
  enum tls_result ra = TLS_WANT_READ, rb = TLS_WANT_READ;
  for (int i = 0; i < 20 && (ra != TLS_DONE || rb != TLS_DONE); i++) {
    if (rb != TLS_DONE) rb = tls_handshake(b);
    if (ra != TLS_DONE) ra = tls_handshake(a);
  }
  MUST(ra == TLS_DONE && rb == TLS_DONE);
  tls_conn_free(&a);
  tls_conn_free(&b);
  tls_server_unref(&server);
  tls_client_free(&client);
  tls_key_free(&signer.key);
  buf_free(&cert);
  buf_wipe(&key);
}

static void whole_work(const void *arg) {
  const struct row *r = arg;
  int fds[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  if (r->role == ROLE_PICKUP) put_drops();
  common_work(r);
  if (r->role == ROLE_KEYS)
    key_files_work();
  else if (r->role == ROLE_PICKUP)
    drop_files_work();
  else if (r->files)
    files_work();
  handshake_work(fds);
}

static void needed_calls(void **state) {
  (void)state;
  for (size_t r = 0; r < ROLES; r++) {
    int status = in_child(whole_work, &roles[r]);
    if (status) print_error("%s: status %x\n", roles[r].name, (unsigned)status);
    assert_int_equal(status, 0);
  }
}

/* --- limits: each is reached, fails what wanted more, and the process goes on --- */

enum { FEW_FDS = 20, SMALL_FILE = 64 * 1024, FEW_THREADS = 6 };
static const uint64_t little_memory = 64ull * 1024 * 1024;

static void enter_small(const struct row *r) {
  static const uint16_t port = 53;
  struct sandbox_profile p = { .role = r->role,
                               .folder = r->files ? folder : NULL,
                               .dials = &port,
                               .dial_count = r->dials && landlock_version() >= LANDLOCK_PORTS,
                               .descriptors = FEW_FDS,
                               .memory = little_memory,
                               .file_size = SMALL_FILE,
                               .threads = r->files ? FEW_THREADS : 0 };
  struct buf missing, err;
  buf_init(&missing, 512);
  buf_init(&err, 512);
  if (getuid() == 0) {
    p.started_as_root = true;
    p.root_dir = r->files ? folder : empty;
    p.uid = p.gid = NOBODY + 1; /* nobody else's, so that its threads are these */
    if (r->files) MUST(chown(folder, NOBODY + 1, NOBODY + 1) == 0);
  }
  MUST(sandbox_enter(&p, &missing, &err));
  MUST(p.descriptors == FEW_FDS);
}

static void memory_ends(void) {
  void *all[256];
  size_t got = 0;
  while (got < 256 && (all[got] = malloc(1024 * 1024)) != NULL) got++;
  MUST(got > 8 && got < little_memory / 1024 / 1024);
  while (got) free(all[--got]);
  void *again = malloc(1024 * 1024);
  MUST(again != NULL);
  free(again);
}

/* A channel's receiver is what gets descriptors in a process that can open none. */
static void descriptors_end(int pair[2]) {
  union {
    char mem[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = { { 0 } };
  size_t got = 0;
  for (int i = 0; i < FEW_FDS + 5; i++) {
    char octet = 'x';
    struct iovec iov = { &octet, 1 };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.mem,
                          .msg_controllen = sizeof control.mem };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS,
                           .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(c), &pair[0], sizeof(int));
    MUST(sendmsg(pair[0], &msg, MSG_NOSIGNAL) == 1);
    msg.msg_controllen = sizeof control.mem;
    MUST(recvmsg(pair[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == 1);
    if (!(msg.msg_flags & MSG_CTRUNC)) got++;
  }
  MUST(got > 4 && got < FEW_FDS);
}

static void *wait_for_the_end(void *arg) {
  uint64_t n;
  while (read(*(int *)arg, &n, sizeof n) < 0) usleep(1000);
  return NULL;
}

static bool as_root; /* asked before: a confined process can not */

static void files_end(bool truncates) {
  static char much[SMALL_FILE + 4096];
  int dir = open(as_root ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fd = openat(dir, "large", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  MUST(dir >= 0 && fd >= 0);
  MUST(pwrite(fd, much, sizeof much, 0) == SMALL_FILE); /* what fits, as write(2) says */
  MUST(pwrite(fd, much, 1, SMALL_FILE) == -1 && errno == EFBIG);
  MUST(!truncates || (ftruncate(fd, SMALL_FILE + 1) == -1 && errno == EFBIG));
  MUST(!truncates || (ftruncate(fd, 0) == 0 && pwrite(fd, much, 1, 0) == 1));
  MUST(unlinkat(dir, "large", 0) == 0);
  close(fd);
  close(dir);
}

static void threads_end(void) {
  pthread_t threads[2 * FEW_THREADS];
  pthread_attr_t small;
  int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE), n = 0;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 128 * 1024);
  while (n < 2 * FEW_THREADS && pthread_create(&threads[n], &small, wait_for_the_end, &wake) == 0)
    n++;
  MUST(n > 0 && n < FEW_THREADS);
  uint64_t ends = (uint64_t)n;
  MUST(write(wake, &ends, sizeof ends) == sizeof ends);
  while (n) MUST(pthread_join(threads[--n], NULL) == 0);
}

static void reach_limits(const void *arg) {
  const struct row *r = arg;
  int pair[2];
  as_root = getuid() == 0;
  signal(SIGXFSZ, SIG_IGN);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
  enter_small(r);
  if (!INSTRUMENTED) memory_ends();
  bool writes = r->files && r->role != ROLE_PICKUP;
  if (writes) files_end(r->role != ROLE_KEYS);
  /* else the user's other processes count */
  if (writes && r->role != ROLE_KEYS && !INSTRUMENTED && as_root) threads_end();
  descriptors_end(pair);
}

static void limits_are_reached(void **state) {
  (void)state;
  for (size_t r = 0; r < ROLES; r++) {
    int status = in_child(reach_limits, &roles[r]);
    if (status) print_error("%s: status %x\n", roles[r].name, (unsigned)status);
    assert_int_equal(status, 0);
  }
  if (getuid() == 0) assert_int_equal(chown(folder, NOBODY, getgid()), 0);
}

/* Of a role without a folder no file grows: here the log, which it was started with. */
static void no_file_grows(const void *arg) {
  int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  int away = open("/dev/null", O_WRONLY | O_CLOEXEC), words = dup(2);
  signal(SIGXFSZ, SIG_IGN);
  MUST(fd >= 0 && dup2(away, 2) == 2);
  enter_small(arg);
  if (write(fd, "x", 1) == -1 && errno == EFBIG) return;
  dprintf(words, "the file grew\n");
  _exit(1);
}

static void without_a_folder_no_file_grows(void **state) {
  (void)state;
  for (size_t r = 0; r < ROLES; r++)
    if (!roles[r].files) assert_int_equal(in_child(no_file_grows, &roles[r]), 0);
}

/* --- users and roots --- */

static void became_nobody(const void *arg) {
  const struct row *r = arg;
  struct stat st;
  enter(r, AS_ROOT_CHROOT);
  /* geteuid is not among the calls: the owner of a file made tells. */
  if (!r->files) return;
  int fd = open("/made", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  MUST(fd >= 0 && syscall(SYS_fstat, fd, &st) == 0 && st.st_uid == NOBODY);
  MUST(openat(AT_FDCWD, "/made", O_RDONLY) >= 0);
  MUST(unlinkat(AT_FDCWD, "/made", 0) == 0);
}

static void root_is_given_up(void **state) {
  (void)state;
  if (getuid() != 0) skip();
  for (size_t r = 0; r < ROLES; r++) assert_int_equal(in_child(became_nobody, &roles[r]), 0);
}

/* A root that a process must not keep, folders that are not there. */
static void refusals(const void *arg) {
  (void)arg;
  struct buf missing, err;
  buf_init(&missing, 512);
  buf_init(&err, 512);
  struct sandbox_profile p = { .role = ROLE_STORE, .folder = "/nowhere/at/all" };
  MUST(!sandbox_enter(&p, &missing, &err) &&
       slice_search(buf_slice(&err), SLICE("/nowhere/at/all")) >= 0);
  buf_reset(&err);
  p = (struct sandbox_profile){ .role = ROLE_SMTPD, .started_as_root = true };
  MUST(!sandbox_enter(&p, &missing, &err) && slice_search(buf_slice(&err), SLICE("as root")) >= 0);
  buf_reset(&err);
  if (getuid() != 0) return;
  p.uid = p.gid = NOBODY;
  p.root_dir = "/nowhere";
  MUST(!sandbox_enter(&p, &missing, &err) && slice_search(buf_slice(&err), SLICE("/nowhere")) >= 0);
}

static void refused_profiles(void **state) {
  (void)state;
  assert_int_equal(in_child(refusals, NULL), 0);
}

/* The parent keeps its calls and may start programs, but none that gains rights, and leaves no
 * core. */
static void parent_work(const void *arg) {
  (void)arg;
  struct buf missing, err;
  buf_init(&missing, 512);
  buf_init(&err, 512);
  struct sandbox_profile p = { .role = ROLE_PARENT };
  MUST(sandbox_enter(&p, &missing, &err) && buf_len(&missing) == 0);
  MUST(socket(AF_INET, SOCK_STREAM, 0) >= 0);
  FILE *status = fopen("/proc/self/status", "r");
  char line[128];
  bool found = false;
  while (status && fgets(line, sizeof line, status)) found |= !strcmp(line, "NoNewPrivs:\t1\n");
  if (status) fclose(status);
  MUST(!status || found);
}

static void parent_keeps_its_calls(void **state) {
  (void)state;
  assert_int_equal(in_child(parent_work, NULL), 0);
}

static void landlock_is_here(void **state) {
  (void)state;
  print_message("Landlock version %d\n", landlock_version());
}

int main(void) {
  make_folders();
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(landlock_is_here),
    cmocka_unit_test(count_of_calls),
    cmocka_unit_test(needed_calls),
    cmocka_unit_test(forbidden_calls),
    cmocka_unit_test(root_is_given_up),
    cmocka_unit_test(refused_profiles),
    cmocka_unit_test(parent_keeps_its_calls),
    cmocka_unit_test(limits_are_reached),
    cmocka_unit_test(without_a_folder_no_file_grows),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  rmdir(folder);
  rmdir(empty);
  return failed;
}
