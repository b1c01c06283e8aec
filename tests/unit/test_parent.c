/* SPDX-License-Identifier: ISC */
/* The parent: who is ended when one process accuses another, and what a role is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "src/parent/parent.h"

enum { STORE, AUTH, KEYS, SMTPD, SMTPD_2, POP3D, PROCS };

static struct parent *house(void) {
  static const enum role kinds[PROCS] = { ROLE_STORE, ROLE_AUTH,  ROLE_KEYS,
                                          ROLE_SMTPD, ROLE_SMTPD, ROLE_POP3D };
  struct parent *p = calloc(1, sizeof *p);
  assert_non_null(p);
  for (size_t i = 0; i < PROCS; i++)
    p->procs[i] = (struct proc){
      .parent = p, .kind = kinds[i], .number = (uint32_t)i + 1, .pid = 1000 + (pid_t)i
    };
  p->proc_count = PROCS;
  return p;
}

/* The place of who is ended, or -1. */
static int blame(struct parent *p, size_t accuser, size_t accused) {
  struct proc *guilty =
      procs_accuse(p, &p->procs[accuser], p->procs[accused].kind, p->procs[accused].number);
  return guilty ? (int)(guilty - p->procs) : -1;
}

static void a_front_end_is_not_believed_against_the_processes_behind_it(void **state) {
  struct parent *p = house();
  assert_int_equal(blame(p, SMTPD, STORE), SMTPD);
  assert_int_equal(blame(p, POP3D, AUTH), POP3D);
  assert_int_equal(blame(p, SMTPD_2, KEYS), SMTPD_2);
  free(p);
}

static void the_processes_behind_are_believed(void **state) {
  struct parent *p = house();
  assert_int_equal(blame(p, STORE, SMTPD_2), SMTPD_2);
  assert_int_equal(blame(p, AUTH, POP3D), POP3D);
  assert_int_equal(blame(p, AUTH, STORE), STORE);
  free(p);
}

static void who_accuses_a_process_it_can_not_know_lies(void **state) {
  struct parent *p = house();
  assert_int_equal(blame(p, SMTPD, SMTPD_2), SMTPD);
  assert_int_equal(blame(p, SMTPD, POP3D), SMTPD);
  assert_int_equal(blame(p, KEYS, STORE), KEYS);
  free(p);
}

static void who_is_not_there_is_left_alone(void **state) {
  struct parent *p = house();
  assert_null(procs_accuse(p, &p->procs[STORE], ROLE_SMTPD, 99)); /* a former life's number */
  assert_null(procs_accuse(p, &p->procs[STORE], ROLE_CLI, 4));
  assert_null(procs_accuse(p, &p->procs[STORE], (enum role)200, 4));
  p->procs[SMTPD].pid = 0;
  assert_int_equal(blame(p, STORE, SMTPD), -1);
  free(p);
}

static void a_front_end_comes_back_at_once_while_another_serves(void **state) {
  struct parent *p = house();
  for (size_t i = 0; i < PROCS; i++) p->procs[i].quick_deaths = 30;
  p->procs[SMTPD_2].ready = true;
  assert_int_equal(procs_pause(p, &p->procs[SMTPD]), PARENT_PAUSE_MS);
  /* its own readiness is no other's */
  assert_int_equal(procs_pause(p, &p->procs[SMTPD_2]), PARENT_PAUSE_MOST_MS);
  assert_int_equal(procs_pause(p, &p->procs[POP3D]), PARENT_PAUSE_MOST_MS);
  p->procs[SMTPD_2].ready = false;
  assert_int_equal(procs_pause(p, &p->procs[SMTPD]), PARENT_PAUSE_MOST_MS);
  free(p);
}

static void the_processes_behind_wait_longer_with_each_quick_death(void **state) {
  struct parent *p = house();
  p->procs[STORE].quick_deaths = 1;
  assert_int_equal(procs_pause(p, &p->procs[STORE]), PARENT_PAUSE_MS);
  p->procs[STORE].quick_deaths = 3;
  assert_int_equal(procs_pause(p, &p->procs[STORE]), 4 * PARENT_PAUSE_MS);
  p->procs[STORE].quick_deaths = 100;
  assert_int_equal(procs_pause(p, &p->procs[STORE]), PARENT_PAUSE_MOST_MS);
  free(p);
}

/* Only the sender knows which file has the passwords for other servers. */
static void a_role_is_sent_only_the_options_that_its_row_names(void **state) {
  const char *text = "route_passwords = \"/etc/secret\"\nhostname = \"mx.example.org\"\n"
                     "send = no\nroutes = { \"* relay.example.org\" }\n"
                     "data_dir = \"/srv/mail\"\n";
  struct buf err, packed;
  buf_init(&err, 4096), buf_init(&packed, 1024 * 1024);
  struct conf *conf = conf_parse(slice_str(text), "test", &err);
  assert_non_null(conf);
  for (enum role r = 0; r < ROLE_COUNT; r++) {
    if (!role_has_processes(r)) continue;
    buf_truncate(&packed, 0);
    conf_pack_only(conf, role_rows[r].options, &packed);
    struct conf *sent = conf_unpack(buf_slice(&packed));
    assert_non_null(sent);
    assert_string_equal(sent->route_passwords, r == ROLE_SENDER ? "/etc/secret" : "");
    assert_string_equal(sent->hostname, "mx.example.org");
    assert_string_equal(sent->data_dir, "/var/lib/qasid");
    assert_int_equal(sent->send, r != ROLE_SMTPD && r != ROLE_STORE);
    assert_int_equal(sent->routes.count, r == ROLE_SENDER || r == ROLE_STORE ? 1 : 0);
    conf_free(&sent);
  }
  conf_free(&conf);
  buf_free(&err), buf_free(&packed);
}

static bool is_option(struct slice name) {
  for (size_t i = 0; i < conf_option_count; i++)
    if (slice_eq(name, slice_str(conf_options[i].name))) return true;
  return false;
}

static void each_role_names_options_that_there_are(void **state) {
  for (enum role r = 0; r < ROLE_COUNT; r++) {
    struct slice rest = slice_str(role_has_processes(r) ? role_rows[r].options : "");
    while (rest.n) assert_true(is_option(slice_split(&rest, ' ')));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_front_end_is_not_believed_against_the_processes_behind_it),
    cmocka_unit_test(the_processes_behind_are_believed),
    cmocka_unit_test(who_accuses_a_process_it_can_not_know_lies),
    cmocka_unit_test(who_is_not_there_is_left_alone),
    cmocka_unit_test(a_front_end_comes_back_at_once_while_another_serves),
    cmocka_unit_test(the_processes_behind_wait_longer_with_each_quick_death),
    cmocka_unit_test(a_role_is_sent_only_the_options_that_its_row_names),
    cmocka_unit_test(each_role_names_options_that_there_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
