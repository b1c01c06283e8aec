/* SPDX-License-Identifier: ISC */
/* The file of route_passwords, read and compared with `routes`: a line whose host is in no route
 * would be useless, and the mail would go without its login. A login that some route names is used
 * only by the routes that name it: nobody else's mail is sent under it. Passwords are not
 * printed. */
#include "conf/internal.h"

/* Takes the next login off `*rest`. False: there are no more. `*line` counts lines; `*ret_good`
 * false: it is malformed. */
static bool login_next(struct slice *rest, unsigned *line, struct conf_login *ret, bool *ret_good) {
  while (rest->p) {
    struct slice text = slice_split(rest, '\n');
    ++*line;
    if (!slice_trim(text).n || slice_at(text, 0) == '#') continue;
    ret->host = conf_route_word(&text);
    ret->user = conf_route_word(&text);
    ret->password = text;
    *ret_good = ret->user.n && ret->password.n;
    return true;
  }
  return false;
}

/* Of "HOST[:PORT]", "[HOST][:PORT]" or "srv:SERVICE[:PORT]": the host that a login is for. */
static struct slice host_of(struct slice text) {
  bool service = slice_starts(text, SLICE("srv:"));
  if (service) text = slice_from(text, 4);
  ptrdiff_t colon = slice_rfind(text, ':'), close = slice_rfind(text, ']');
  if (colon > close) text = slice_first(text, (size_t)colon);
  if (service) {
    slice_split(&text, '.');
    slice_split(&text, '.');
  }
  if (slice_at(text, 0) == '[' && slice_at(text, text.n - 1) == ']')
    text = slice_first(slice_from(text, 1), text.n - 2);
  return text;
}

/* True if a route names that login. */
static bool is_named(const struct conf *c, const struct conf_login *l) {
  for (size_t i = 0; i < c->routes.count; i++) {
    struct slice line = slice_str(c->routes.items[i]);
    conf_route_word(&line);
    if (slice_caseeq(host_of(conf_route_word(&line)), l->host) &&
        slice_eq(conf_route_login(line), l->user))
      return true;
  }
  return false;
}

bool conf_login_for(const struct conf *c, struct slice file, struct slice host, struct slice user,
                    struct conf_login *ret) {
  unsigned line = 0;
  bool good;
  while (login_next(&file, &line, ret, &good)) {
    if (!good || !slice_caseeq(ret->host, host)) continue;
    if (user.n ? slice_eq(user, ret->user) : !is_named(c, ret)) return true;
  }
  *ret = (struct conf_login){ SLICE_NONE, SLICE_NONE, SLICE_NONE };
  return !user.n;
}

/* What is wrong with one login, around its host. */
struct wrong_login {
  const char *before, *behind;
};

static const struct wrong_login *wrong_login(const struct conf *c, struct slice above,
                                             const struct conf_login *l) {
  static const struct wrong_login no_host = { "no line of routes has the host \"",
                                              "\", so its login would not be used" },
                                  others = { "each line of routes with the host \"",
                                             "\" names another login, so this one would not be "
                                             "used" },
                                  again = { "this login for \"", "\" is in a line above already" },
                                  which = { "a line above has a login for \"",
                                            "\" too: the lines of routes must say which one they "
                                            "take (login=USER)" };
  bool known = false, unnamed = false, good;
  unsigned line = 0;
  struct conf_login other;
  for (size_t i = 0; i < c->routes.count; i++) {
    struct slice text = slice_str(c->routes.items[i]);
    conf_route_word(&text);
    if (!slice_caseeq(host_of(conf_route_word(&text)), l->host)) continue;
    known = true;
    unnamed |= !conf_route_login(text).n;
  }
  if (!known) return &no_host;
  if (!unnamed && !is_named(c, l)) return &others;
  while (login_next(&above, &line, &other, &good)) {
    if (!good || !slice_caseeq(other.host, l->host)) continue;
    if (slice_eq(other.user, l->user)) return &again;
    if (!is_named(c, l) && !is_named(c, &other)) return &which;
  }
  return NULL;
}

static bool check_named(const struct conf *c, struct slice file, struct buf *err) {
  bool all = true;
  for (size_t i = 0; i < c->routes.count; i++) {
    struct slice line = slice_str(c->routes.items[i]);
    struct conf_login l;
    conf_route_word(&line);
    struct slice host = host_of(conf_route_word(&line));
    if (conf_login_for(c, file, host, conf_route_login(line), &l)) continue;
    all = false;
    buf_printf(err, "%s: it has no login for \"%s\" of routes\n", c->route_passwords,
               c->routes.items[i]);
  }
  return all;
}

bool conf_check_logins(const struct conf *c, struct slice file, struct buf *err) {
  unsigned line = 0;
  struct conf_login l;
  struct slice rest = file;
  bool good, all = true;
  while (login_next(&rest, &line, &l, &good)) {
    struct slice above = slice_first(file, (size_t)(l.host.p - file.p));
    const struct wrong_login *wrong = good ? wrong_login(c, above, &l) : NULL;
    all &= good && !wrong;
    if (!good)
      buf_printf(err, "%s:%u: \"HOST USER PASSWORD\" is meant\n", c->route_passwords, line);
    else if (wrong)
      buf_printf(err, "%s:%u: %s%.*s%s\n", c->route_passwords, line, wrong->before,
                 SLICE_ARG(slice_first(l.host, 255)), wrong->behind);
  }
  return check_named(c, file, err) && all;
}
