/* SPDX-License-Identifier: ISC */
/* world: the long run, seed by seed: stories of mailboxes (crash.h), of mail that leaves
 * (outside/voyage.h), and of mail that is collected (outside/gather.h).
 *
 *   world --seeds A..B [--of mailboxes|outside|collected] [--lives N] [--verbose]
 *
 * Stops at the tenth failure; each prints its seed, life and operation, and the command that
 * replays it. Ends with a summary and "world: N passed, M failed", N being deaths after which
 * everything held. */
#include <malloc.h>
#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/crash.h"
#include "tests/world/outside/gather.h"
#include "tests/world/outside/voyage.h"

enum { FAILURES_MOST = 10 };

static struct crash_tally mailboxes;
static struct voyage_tally outside;
static struct gather_tally collected;

static bool mailbox_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                          struct buf *err) {
  return crash_story(start, seed, lives, verbose, &mailboxes, err);
}

static unsigned long long mailbox_summary(void) {
  const struct crash_tally *t = &mailboxes;
  printf("mailboxes: %llu stories, %llu deaths (%llu of them in start-up or recovery), store "
         "reopened %llu times, disk "
         "full %llu times; %llu letters, %llu accepted, %llu refused; %llu fetched, %llu QUITs "
         "kept, %llu undeleted, %llu moved by the client session\n",
         t->stories, t->deaths, t->in_recovery, t->reopened, t->full, t->letters, t->accepted,
         t->refused, t->fetched, t->deleted, t->undeleted, t->moved);
  return t->deaths;
}

static bool outside_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                          struct buf *err) {
  return voyage_story(start, seed, lives, verbose, &outside, err);
}

static unsigned long long outside_summary(void) {
  const struct voyage_tally *t = &outside;
  printf("outside: %llu stories (%llu to the end of the queue), %llu deaths (%llu of them in "
         "start-up or recovery), %llu processes killed; "
         "%llu letters, %llu accepted; %llu recipients have theirs, %llu copies more in the "
         "window, %llu failed and %llu delayed were "
         "reported, %llu of them both failed and delivered in the window; %llu acts of the "
         "administrator; %llu connections, %llu cut, "
         "%llu deferrals, %llu refusals, %llu lies of DNS\n",
         t->stories, t->ended, t->deaths, t->in_recovery, t->kills, t->letters, t->accepted,
         t->delivered, t->again, t->failed, t->delayed, t->both, t->steered, t->connections,
         t->cuts, t->deferred, t->refused, t->lies);
  return t->deaths;
}

static bool collected_story(const struct disk_sim *start, uint64_t seed, unsigned lives,
                            bool verbose, struct buf *err) {
  return gather_story(start, seed, lives, verbose, &collected, err);
}

static unsigned long long collected_summary(void) {
  const struct gather_tally *t = &collected;
  printf("collected: %llu stories (%llu until nothing was left), %llu deaths (%llu of them in "
         "start-up or recovery), %llu processes killed; "
         "%llu messages elsewhere, %llu texts came, %llu once more than once, %llu DELE, %llu "
         "deleted; %llu connections, %llu cut, "
         "%llu texts cut short, %llu lies\n",
         t->stories, t->ended, t->deaths, t->in_recovery, t->kills, t->mails, t->came, t->again,
         t->deles, t->deleted, t->connections, t->cuts, t->short_ones, t->lies);
  return t->deaths;
}

static const struct kind {
  const char *name;
  unsigned lives; /* of a story */
  unsigned every; /* when all kinds are played: one seed of so many */
  struct disk_sim *(*begin)(struct buf *err);
  bool (*story)(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                struct buf *err);
  unsigned long long (*summary)(void); /* prints, and returns the deaths */
} kinds[] = {
  { "mailboxes", 2, 1, crash_begin, mailbox_story, mailbox_summary },
  { "outside", 6, 1, voyage_begin, outside_story, outside_summary },
  { "collected", 5, 5, gather_begin, collected_story, collected_summary },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct run {
  uint64_t from, to, lives; /* lives 0: as many as the kind has */
  bool verbose;
  const char *program, *of; /* of NULL: all */
};

static bool parse_seeds(const char *text, struct run *r) {
  struct slice rest = slice_str(text), from = slice_split(&rest, '.');
  if (!num_parse(from, UINT64_MAX, &r->from)) return false;
  r->to = r->from;
  if (!rest.n) return true;
  return num_parse(slice_from(rest, 1), UINT64_MAX, &r->to) && r->to >= r->from;
}

static void report(const struct run *r, const struct kind *k, uint64_t seed, struct buf *err) {
  printf("FAIL %s\n     %s --seeds %llu..%llu --of %s --lives %llu --verbose\n", buf_cstr(err),
         r->program, (unsigned long long)seed, (unsigned long long)seed, k->name,
         (unsigned long long)(r->lives ? r->lives : k->lives));
  fflush(stdout);
  buf_reset(err);
}

/* Returns how many failed. */
static unsigned run_kind(const struct run *r, const struct kind *k, unsigned long long *deaths) {
  struct buf err;
  buf_init(&err, 4096);
  struct disk_sim *start = k->begin(&err);
  unsigned failed = start == NULL;
  if (!start) printf("FAIL %s\n", buf_cstr(&err));
  for (uint64_t seed = r->from; start && seed <= r->to && failed < FAILURES_MOST; seed++) {
    if (!r->of && seed % k->every) continue;
    if (k->story(start, seed, (unsigned)(r->lives ? r->lives : k->lives), r->verbose, &err))
      continue;
    failed++;
    report(r, k, seed, &err);
  }
  disk_sim_free(&start);
  buf_free(&err);
  *deaths += k->summary();
  return failed;
}

static bool is_kind(const char *name) {
  for (size_t i = 0; i < KINDS; i++)
    if (!strcmp(kinds[i].name, name)) return true;
  return false;
}

static bool parse(int argc, char **argv, struct run *r) {
  for (int i = 1; i < argc; i++) {
    bool more = i + 1 < argc;
    if (!strcmp(argv[i], "--verbose"))
      r->verbose = true;
    else if (!strcmp(argv[i], "--seeds") && more && parse_seeds(argv[i + 1], r))
      i++;
    else if (!strcmp(argv[i], "--of") && more && is_kind(argv[i + 1]))
      r->of = argv[++i];
    else if (!strcmp(argv[i], "--lives") && more &&
             num_parse(slice_str(argv[i + 1]), 1000, &r->lives))
      i++;
    else
      return false;
  }
  return true;
}

int main(int argc, char **argv) {
  /* Simulated disks come and go, megabytes each: their pages are kept for the next. */
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  struct run r = { .from = 1, .to = 1000, .program = argv[0] };
  unsigned long long deaths = 0;
  unsigned failed = 0;
  if (!parse(argc, argv, &r)) {
    fprintf(
        stderr,
        "usage: world --seeds A..B [--of mailboxes|outside|collected] [--lives N] [--verbose]\n");
    return 64;
  }
  for (size_t i = 0; i < KINDS; i++)
    if (!r.of || !strcmp(r.of, kinds[i].name)) failed += run_kind(&r, &kinds[i], &deaths);
  printf("world: %llu passed, %u failed\n", deaths - (deaths >= failed ? failed : 0), failed);
  return failed != 0;
}
