/* SPDX-License-Identifier: ISC */
/* conv-world: plays conversations in the simulated world, each as it is and then disturbed.
 *
 *   conv-world [--all | --once] [--verbose] FOLDER|FILE…
 *   conv-world --play FILE CUTS SEED ALLOC QUESTION AFTER [--verbose]     one run, as a failure
 * names it
 *
 * Runs of each: octets as sent; each octet alone; random segments; each allocation failing in turn;
 * each question's process lost in turn, before and after the question arrived. Without --all only
 * some of these are tried, evenly spread over a conversation and others in each; with --once only
 * the first. Ends with "conv: N passed, M failed": a passed conversation passed all its runs. */
#include <dirent.h>
#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/conv.h"
#include "tests/world/must.h"

enum { ALLOCS_MOST = 3, QUESTIONS_MOST = 2, SPLITS = 1, SPLITS_ALL = 2 };

struct tally {
  unsigned passed, failed, files;
  unsigned long long runs;
  bool all, once, verbose;
};

static bool play(struct conv *c, const struct conv_run *how, struct conv_outcome *out,
                 struct tally *t) {
  conv_play(c, how, out);
  t->runs++;
  if (out->passed) return true;
  printf("FAIL %s\n     conv-world --play %s %d %llu %llu %llu %d --verbose\n", out->why, c->name,
         how->cuts, (unsigned long long)how->seed, (unsigned long long)how->fail_alloc,
         (unsigned long long)how->lose_question, how->lose_after);
  return false;
}

static bool play_cuts(struct conv *c, struct tally *t) {
  struct conv_outcome out;
  if (!play(c, &(struct conv_run){ .cuts = CUT_BYTES, .seed = 1 }, &out, t)) return false;
  uint64_t splits = t->all ? SPLITS_ALL : SPLITS;
  for (uint64_t seed = 2; seed < 2 + splits; seed++)
    if (!play(c, &(struct conv_run){ .cuts = CUT_RANDOM, .seed = seed }, &out, t)) return false;
  return true;
}

/* Rounded up, so that never more than `most` of them are tried. */
static uint64_t stride_of(uint64_t count, uint64_t most, const struct tally *t) {
  return t->all || count <= most ? 1 : (count + most - 1) / most;
}

static bool play_allocs(struct conv *c, uint64_t allocs, struct tally *t) {
  struct conv_outcome out;
  uint64_t stride = stride_of(allocs, ALLOCS_MOST, t);
  for (uint64_t n = 1 + t->files % stride; n <= allocs; n += stride)
    if (!play(c, &(struct conv_run){ .seed = 1, .fail_alloc = n }, &out, t)) return false;
  return true;
}

static bool play_questions(struct conv *c, uint64_t questions, struct tally *t) {
  struct conv_outcome out;
  uint64_t stride = stride_of(questions, QUESTIONS_MOST, t), tried = t->files;
  for (uint64_t n = 1 + t->files % stride; n <= questions; n += stride, tried++)
    for (int after = 0; after < 2; after++)
      if ((t->all || after == (int)(tried % 2)) && // in the sample, one moment of each
          !play(c, &(struct conv_run){ .seed = 1, .lose_question = n, .lose_after = after }, &out,
                t))
        return false;
  return true;
}

static struct conv *load(const char *path) {
  struct buf err;
  buf_init(&err, 1024);
  struct conv *c = conv_load(path, &err);
  if (!c) printf("FAIL %s\n", buf_cstr(&err));
  buf_free(&err);
  return c;
}

static void run_file(const char *path, struct tally *t) {
  struct conv *c = load(path);
  struct conv_outcome out = { 0 };
  t->files++;
  bool ok = c && play(c, &(struct conv_run){ .seed = 1, .verbose = t->verbose }, &out, t);
  if (!t->once)
    ok = ok && play_cuts(c, t) && play_allocs(c, out.allocs, t) &&
         play_questions(c, out.questions, t);
  if (ok)
    t->passed++;
  else
    t->failed++;
  conv_free(&c);
  fflush(stdout);
}

static int is_conv(const struct dirent *d) {
  size_t n = strlen(d->d_name);
  return n > 5 && !strcmp(d->d_name + n - 5, ".conv");
}

static void run_path(const char *path, struct tally *t) {
  struct dirent **names = NULL;
  int n = scandir(path, &names, is_conv, alphasort);
  if (n < 0) run_file(path, t);
  for (int i = 0; i < n; i++) {
    char file[512];
    snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
    run_file(file, t);
    free(names[i]);
  }
  free(names);
}

static uint64_t number(const char *s) {
  uint64_t n = 0;
  num_parse(slice_str(s), UINT64_MAX, &n);
  return n;
}

static int play_one(char **args, bool verbose) {
  struct conv *c = load(args[0]);
  struct tally t = { 0 };
  struct conv_outcome out;
  const struct conv_run how = { .cuts = (enum world_cuts)number(args[1]),
                                .seed = number(args[2]),
                                .fail_alloc = number(args[3]),
                                .lose_question = number(args[4]),
                                .lose_after = number(args[5]) != 0,
                                .verbose = verbose };
  bool ok = c && play(c, &how, &out, &t);
  conv_free(&c);
  printf("conv: %d passed, %d failed\n", ok, !ok);
  return !ok;
}

int main(int argc, char **argv) {
  struct tally t = { 0 };
  bool one = argc > 7 && !strcmp(argv[1], "--play");
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--all")) t.all = true;
    if (!strcmp(argv[i], "--once")) t.once = true;
    if (!strcmp(argv[i], "--verbose")) t.verbose = true;
  }
  if (one) return play_one(argv + 2, t.verbose);
  for (int i = 1; i < argc; i++)
    if (argv[i][0] != '-') run_path(argv[i], &t);
  printf("%llu runs\nconv: %u passed, %u failed\n", t.runs, t.passed, t.failed);
  return t.failed || !t.passed;
}
