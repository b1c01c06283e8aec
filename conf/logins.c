/* SPDX-License-Identifier: ISC */
/* The file of route_passwords, read and held against `routes`: a line whose host no route has would
 * be of no use, and the mail would go without its login. Passwords are not shown. */
#include "conf/internal.h"

static struct slice word_of(struct slice *line) {
  struct slice word;
  do word = slice_split(line, ' ');
  while (!word.n && line->p);
  return word;
}

bool conf_login_next(struct slice *rest, unsigned *line, struct conf_login *ret, bool *ret_good) {
  while (rest->p) {
    struct slice text = slice_split(rest, '\n');
    ++*line;
    if (!slice_trim(text).n || slice_at(text, 0) == '#') continue;
    ret->host = word_of(&text);
    ret->user = word_of(&text);
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

static bool is_in_routes(const struct conf *c, struct slice host) {
  for (size_t i = 0; i < c->routes.count; i++) {
    struct slice line = slice_str(c->routes.items[i]);
    word_of(&line);
    if (slice_caseeq(host_of(word_of(&line)), host)) return true;
  }
  return false;
}

bool conf_check_logins(const struct conf *c, struct slice file, struct buf *err) {
  unsigned line = 0;
  struct conf_login l;
  bool good, all = true;
  while (conf_login_next(&file, &line, &l, &good)) {
    bool known = is_in_routes(c, l.host);
    if (good && known) continue;
    all = false;
    if (!good)
      buf_printf(err, "%s:%u: \"HOST USER PASSWORD\" is meant\n", c->route_passwords, line);
    else
      buf_printf(err,
                 "%s:%u: no line of routes has the host \"%.*s\", so its login would not be used\n",
                 c->route_passwords, line, SLICE_ARG(slice_first(l.host, 255)));
  }
  return all;
}
