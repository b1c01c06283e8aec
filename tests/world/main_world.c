/* world: the long run (crash.h), seed by seed.
 *
 *   world --seeds A..B [--lives N] [--verbose]
 *
 * Stops at the tenth failure; each prints its seed, life and operation, and the command that replays it.
 * Ends with a summary and "world: N passed, M failed", N being deaths after which everything held. */
#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/crash.h"

enum { FAILURES_MOST = 10, LIVES = 2 };

static bool parse_seeds(const char *text, uint64_t *ret_from, uint64_t *ret_to) {
  struct slice rest = slice_str(text), from = slice_split(&rest, '.');
  if (!num_parse(from, UINT64_MAX, ret_from)) return false;
  *ret_to = *ret_from;
  if (!rest.n) return true;
  return num_parse(slice_from(rest, 1), UINT64_MAX, ret_to) && *ret_to >= *ret_from;
}

static void report(const char *program, uint64_t seed, uint64_t lives, struct buf *err) {
  printf("FAIL %s\n     %s --seeds %llu..%llu --lives %llu --verbose\n", buf_cstr(err), program,
         (unsigned long long)seed, (unsigned long long)seed, (unsigned long long)lives);
  fflush(stdout);
  buf_reset(err);
}

static void summary(const struct crash_tally *t, unsigned failed) {
  printf("%llu stories, %llu deaths (%llu of them in start-up or recovery), store reopened %llu times, disk "
         "full %llu times; %llu letters, %llu accepted, %llu refused; %llu fetched, %llu QUITs kept, %llu undeleted, %llu moved by the client session\n",
         t->stories, t->deaths, t->in_recovery, t->reopened, t->full, t->letters, t->accepted, t->refused,
         t->fetched, t->deleted, t->undeleted, t->moved);
  printf("world: %llu passed, %u failed\n", t->deaths - (t->deaths >= failed ? failed : 0), failed);
}

int main(int argc, char **argv) {
  uint64_t from = 1, to = 1000, lives = LIVES;
  bool verbose = false;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--verbose")) verbose = true;
    else if (!strcmp(argv[i], "--seeds") && i + 1 < argc && parse_seeds(argv[i + 1], &from, &to)) i++;
    else if (!strcmp(argv[i], "--lives") && i + 1 < argc && num_parse(slice_str(argv[i + 1]), 1000, &lives))
      i++;
    else {
      fprintf(stderr, "usage: world --seeds A..B [--lives N] [--verbose]\n");
      return 64;
    }
  }
  struct buf err;
  buf_init(&err, 4096);
  struct crash_tally tally = { 0 };
  struct disk_sim *start = crash_begin(&err);
  unsigned failed = start == NULL;
  if (!start) printf("FAIL %s\n", buf_cstr(&err));
  for (uint64_t seed = from; start && seed <= to && failed < FAILURES_MOST; seed++)
    if (!crash_story(start, seed, (unsigned)lives, verbose, &tally, &err)) {
      failed++;
      report(argv[0], seed, lives, &err);
    }
  summary(&tally, failed);
  disk_sim_free(&start);
  buf_free(&err);
  return failed != 0;
}
