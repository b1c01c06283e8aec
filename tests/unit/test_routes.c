/* SPDX-License-Identifier: ISC */
/* The option routes: which line decides, whose login it takes, which mail shares connections
 * (conf/routes.c, conf/logins.c, src/sender/route.c), and under which destination mail waits
 * (src/store/owner/routes.c). */
#include "src/sender/sender.h"
#include "tests/unit/queue_kit.h"

static const char *lines[] = {
  "* smart.example:587",
  "from:customer.example a.smart.example:587",
  "account:alice@example.org b.smart.example:587",
  ".example direct",
  ".far.example deep.example:25",
  "partner.example [10.0.0.2]:25 tls=none",
  "other.test direct",
};
static const struct conf_list routes = { lines, sizeof lines / sizeof *lines };

/* The most specific line decides, wherever it stands. */
static void precedence(void **state) {
  static const struct {
    const char *destination, *account, *sender;
    size_t line;
  } t[] = {
    { "x.test", "", "", 1 },
    { "x.test", "", "customer.example", 2 },
    { "x.test", "", "Customer.EXAMPLE", 2 },
    { "x.test", "", "sub.customer.example", 1 },
    { "x.test", "alice@example.org", "customer.example", 3 },
    { "x.test", "Alice@example.org", "", 3 },
    { "x.test", "alice@example.org.test", "", 1 },
    { "mx.example", "alice@example.org", "customer.example", 4 },
    { "mx.far.example", "alice@example.org", "", 5 },
    { "far.example", "", "", 4 },
    { "partner.example", "alice@example.org", "customer.example", 6 },
    { "PARTNER.example", "", "", 6 },
    { "other.test", "alice@example.org", "", 7 },
    { "", "", "", 1 },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    const struct conf_route_asked q = { slice_str(t[i].destination), slice_str(t[i].account),
                                        slice_str(t[i].sender) };
    if (conf_route_find(&routes, &q) != t[i].line)
      fail_msg("row %zu: line %zu", i, conf_route_find(&routes, &q));
    struct slice by = conf_route_sender(&routes, &q);
    assert_int_equal(by.n > 0, t[i].line == 2 || t[i].line == 3);
  }
  const struct conf_list none = { lines, 0 };
  assert_int_equal(conf_route_find(&none, &(struct conf_route_asked){ .sender = SLICE("a") }), 0);
}

static struct route route_of(struct sender *s, const char *destination, const char *account,
                             bool good) {
  struct route r;
  const struct conf_route_asked q = { slice_str(destination), slice_str(account), SLICE("") };
  assert_int_equal(route_for(s, &q, &r), good);
  return r;
}

/* Whatever two customers have at one provider: a login goes with the mail of its own route, and
 * mail of two logins, or of two policies, never shares a connection. */
static void logins(void **state) {
  static const char *own[] = {
    "* hub.test:587",
    "account:a@x.test hub.test:587 login=ann",
    "account:b@x.test hub.test:587 login=bob",
    "account:c@x.test hub.test:587 login=nobody",
    "plain.test relay.test:25 tls=none",
    "secure.test relay.test:25 tls=required",
    "same.test relay.test:25 tls=required",
  };
  struct conf *c = conf_defaults();
  struct process process = { .conf = c };
  struct sender *s = sender_new();
  struct conf_list before = c->routes;
  struct buf err;
  c->routes = (struct conf_list){ own, sizeof own / sizeof *own };
  s->process = &process;
  buf_put_str(&s->credentials.file, "hub.test ann secret-a\nhub.test bob secret-b\n");
  struct route all = route_of(s, "y.test", "", true), a = route_of(s, "y.test", "a@x.test", true),
               b = route_of(s, "y.test", "b@x.test", true);
  assert_int_equal(all.user.n, 0); /* both logins are somebody's */
  assert_true(slice_eq(a.user, SLICE("ann")) && slice_eq(a.secret, SLICE("secret-a")));
  assert_true(slice_eq(b.user, SLICE("bob")) && slice_eq(b.secret, SLICE("secret-b")));
  assert_int_equal(a.tls, ROUTE_VERIFIED);
  assert_false(route_is_same(&a, &b) || route_is_same(&a, &all));
  assert_true(route_is_same(&a, &a));
  route_of(s, "y.test", "c@x.test", false); /* it waits, and does not go without */
  struct route plain = route_of(s, "plain.test", "", true),
               secure = route_of(s, "secure.test", "", true),
               same = route_of(s, "same.test", "", true);
  assert_false(route_is_same(&plain, &secure));
  assert_true(route_is_same(&secure, &same));
  /* one that no route names is for the others */
  buf_put_str(&s->credentials.file, "hub.test hub secret-h\n");
  all = route_of(s, "y.test", "", true);
  assert_true(slice_eq(all.user, SLICE("hub")));
  buf_init(&err, 4096);
  c->routes.count = 3;
  assert_true(conf_check_logins(c, buf_slice(&s->credentials.file), &err));
  buf_free(&err);
  c->routes = before;
  sender_free(&s);
  conf_free(&c);
}

/* What check-config says of the file of logins. */
static void mistakes(void **state) {
  static const char *own[] = { "account:a@x.test hub.test:587 login=ann", "* other.test" };
  static const struct {
    const char *file, *says;
  } t[] = {
    { "hub.test ann s\n", NULL },
    { "hub.test ann s\nother.test o p\n", NULL },
    { "other.test o p\n", "f: it has no login for \"account:a@x.test hub.test:587 login=ann\"" },
    { "hub.test ann s\nhub.test bob s\n", "f:2: each line of routes with the host \"hub.test\"" },
    { "hub.test ann s\n\nhub.test ann t\n", "f:3: this login for \"hub.test\" is in a line above" },
    { "hub.test ann s\nother.test o p\nother.test q p\n", "f:3: a line above has a login for" },
    { "hub.test ann s\nno.test q p\n", "f:2: no line of routes has the host \"no.test\"" },
    { "hub.test ann s\nother.test q\n", "f:2: \"HOST USER PASSWORD\" is meant" },
  };
  struct conf *c = conf_defaults();
  struct conf_list before = c->routes;
  const char *path = c->route_passwords;
  c->routes = (struct conf_list){ own, 2 };
  c->route_passwords = "f";
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct buf err;
    buf_init(&err, 4096);
    assert_int_equal(conf_check_logins(c, slice_str(t[i].file), &err), t[i].says == NULL);
    if (t[i].says && !strstr(buf_cstr(&err), t[i].says)) fail_msg("%zu: %s", i, buf_cstr(&err));
    buf_free(&err);
  }
  c->routes = before;
  c->route_passwords = path;
  conf_free(&c);
}

/* --- the store --- */

static void set_routes(struct kit *k, const char **items, size_t count) {
  k->conf->routes = (struct conf_list){ items, count };
}

static bool is_for(const struct got *g, const char *account, const char *sender) {
  return slice_eq(g->m.account, slice_str(account)) && slice_eq(g->m.sender, slice_str(sender)) &&
         slice_eq(g->m.destination, SLICE("elsewhere.example"));
}

static void unreachable(struct kit *k, const struct got *g) {
  struct buf list;
  buf_init(&list, SEND_ROWS_MAX);
  send_outcome_put(&list, &(struct send_outcome){ .row = g->rows[0],
                                                  .fate = SEND_TEMPORARY,
                                                  .stage = SMTP_STAGE_CONNECT,
                                                  .enhanced = { 4, 4, 1 },
                                                  .text = SLICE("no") });
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_result, g->tag, .unreachable = true,
                      .results = buf_slice(&list)));
  buf_free(&list);
  kit_pump(k);
}

static enum commit_outcome post(struct kit *k, const char *from, const char *to) {
  return commit_dsn(k, SESSION, from, to, SLICE("Subject: s\r\n\r\nhi\r\n"), 0, 0);
}

/* Two ways to one domain are two destinations: the one is dead, and the other not. Both are found
 * by the domain. */
static void ways(void **state) {
  static const char *own[] = { "account:alice@example.org dead.test" };
  struct kit *k = *state;
  uint64_t a = alice(k), b = kit_account(k, "bob@example.org");
  struct conf_list before = k->conf->routes;
  set_routes(k, own, 1);
  submit_grant(k, SESSION, a);
  assert_int_equal(post(k, "alice@example.org", "x@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(is_for(&g, "alice@example.org", "example.org"));
  unreachable(k, &g);
  assert_int_equal(post(k, "alice@example.org", "y@elsewhere.example"), COMMIT_DONE);
  nothing(k); /* her way is dead */
  submit_grant(k, SESSION, b);
  assert_int_equal(post(k, "bob@example.org", "z@elsewhere.example"), COMMIT_DONE);
  g = letter(k);
  assert_true(is_for(&g, "bob@example.org", "example.org"));
  assert_string_equal(g.to[0], "z@elsewhere.example");
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "later"));
  assert_int_equal(kit_command(k, "queue list to=elsewhere.example").count, 3);
  assert_int_equal(kit_command(k, "queue list to=elsewhere.example reason=host-dead").count, 1);
  assert_int_equal(kit_command(k, "queue list to=elsewhere.example reason=back-off").count, 2);
  assert_int_equal(kit_command(k, "queue hold to=Elsewhere.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue list to=elsewhere.example state=held").count, 3);
  assert_int_equal(kit_command(k, "queue list to=elsewhere.exampl").count, 0);
  assert_sound(k);
  k->conf->routes = before;
}

/* Rows that wait go by the routes that there are when they are sent; their former destination
 * learns nothing from that. */
static void reloaded(void **state) {
  static const char *own[] = { "from:example.org dead.test" };
  struct kit *k = *state;
  struct conf_list before = k->conf->routes;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(post(k, "alice@example.org", "x@elsewhere.example"), COMMIT_DONE);
  set_routes(k, own, 1);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  unreachable(k, &g);
  assert_int_equal(post(k, "alice@example.org", "y@elsewhere.example"), COMMIT_DONE);
  g = letter(k); /* what the former destination met says nothing of this one */
  unreachable(k, &g);
  assert_int_equal(post(k, "alice@example.org", "w@elsewhere.example"), COMMIT_DONE);
  nothing(k);
  assert_int_equal(kit_command(k, "queue list reason=host-dead").count, 1);
  assert_int_equal(kit_command(k, "queue drop w@elsewhere.example").code, CLI_OK);
  k->conf->routes = before;
  assert_int_equal(post(k, "alice@example.org", "z@elsewhere.example"), COMMIT_DONE);
  g = letter(k);
  assert_string_equal(g.to[0], "z@elsewhere.example");
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  k->now_s += 3600; /* the line is gone: they go by the way that there is */
  store_due(k->store, k->now_s);
  kit_pump(k);
  g = letter(k);
  assert_true(is_for(&g, "alice@example.org", "example.org"));
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "later"));
  g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  kit_reopen(k);
  assert_int_equal(waiting(k), 1);
  assert_sound(k);
}

/* Whom forwarded mail is sent for: not for its author, who is anybody, but for the forwarder's
 * domain; and a sender of ours who has not logged in is not believed. */
static void forwarded(void **state) {
  static const char *own[] = { "from:example.org a.test", "from:stranger.test b.test",
                               "account:bob@example.org c.test" };
  struct kit *k = *state;
  alice(k);
  uint64_t b = kit_account(k, "bob@example.org");
  assert_int_equal(kit_command(k, "domain add shop.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "alias add team@shop.example me@elsewhere.example").code, CLI_OK);
  struct conf_list before = k->conf->routes;
  set_routes(k, own, 3);
  ready(k, SENDER, 10);
  assert_int_equal(post(k, "who@stranger.test", "team@shop.example"), COMMIT_DONE);
  struct got g = letter(k);
  assert_true(is_for(&g, "", "shop.example"));
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(post(k, "alice@example.org", "team@shop.example"), COMMIT_DONE); /* forged */
  g = letter(k);
  assert_true(is_for(&g, "", "shop.example"));
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(post(k, "", "team@shop.example"), COMMIT_DONE); /* a bounce */
  g = letter(k);
  assert_true(is_for(&g, "", ""));
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  submit_grant(k, SESSION, b);
  assert_int_equal(post(k, "bob@example.org", "team@shop.example"), COMMIT_DONE);
  g = letter(k);
  assert_true(is_for(&g, "", "example.org")); /* his path leaves as it is; it is not his mail */
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  k->conf->routes = before;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(precedence),
    cmocka_unit_test(logins),
    cmocka_unit_test(mistakes),
    TEST(ways),
    TEST(reloaded),
    TEST(forwarded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
