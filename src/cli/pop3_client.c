#include "src/cli/pop3_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/codec.h"
#include "lib/tls/digest.h"
#include "src/cli/login.h"
#include "src/cli/terminal.h"

enum { LINES_MAX = 64 * 1024 * 1024 /* octets of a listing */ };
#define MESSAGE_MAX (1ull << 40)

static int over(struct pop3_client *p) { return cli_fail(CLI_EXIT_UNAVAILABLE, "%s", p->net.error); }

/* --- lines --- */

/* The next line into `ret`. */
static bool next_line(struct pop3_client *p, size_t max, struct buf *ret) {
  for (;;) {
    struct slice in = buf_slice(&p->net.in), line = SLICE_NONE;
    enum pop3_line r = pop3_line_next(&p->framer, &in, max, &line);
    if (r == POP3_LINE_READY) buf_put(ret, line);
    buf_drop(&p->net.in, buf_len(&p->net.in) - in.n);
    if (r == POP3_LINE_READY) return !ret->failed;
    if (r == POP3_LINE_MORE && net_fill(&p->net)) continue;
    if (!p->net.over)
      snprintf(p->net.error, sizeof p->net.error, "%s sends lines that are too long", p->net.url.host);
    p->net.over = true;
    return false;
  }
}

static void keep_text(struct pop3_client *p, const struct pop3_reply *r) {
  struct buf safe;
  buf_init(&safe, 4096);
  if (r->code.n) buf_printf(&safe, "[%.*s] ", SLICE_ARG(r->code));
  text_put_safe(&safe, r->text);
  snprintf(p->text, sizeof p->text, "%.*s", SLICE_ARG(buf_slice(&safe)));
  buf_free(&safe);
}

/* One status line. `challenge`, when not NULL, takes a continuation's base64. */
static enum login_answer hear_status(struct pop3_client *p, struct buf *challenge) {
  struct buf line;
  struct pop3_reply r;
  enum login_answer a = LOGIN_OVER;
  buf_init(&line, POP3_SASL_MAX);
  if (next_line(p, challenge ? POP3_SASL_MAX : POP3_REPLY_MAX, &line)) {
    net_show(&p->net, "S", buf_slice(&line));
    if (!pop3_reply_parse(buf_slice(&line), &r) || (r.status == POP3_CONTINUE && !challenge)) {
      snprintf(p->net.error, sizeof p->net.error, "%s does not speak POP3", p->net.url.host);
      p->net.over = true;
    } else {
      keep_text(p, &r);
      a = r.status == POP3_OK ? LOGIN_ACCEPTED : r.status == POP3_ERR ? LOGIN_REFUSED : LOGIN_CHALLENGE;
      if (a == LOGIN_CHALLENGE) buf_put(challenge, r.text);
    }
  }
  buf_free(&line);
  return a;
}

bool pop3_client_ask(struct pop3_client *p, const char *line, int *ret_code) {
  enum login_answer a = net_line(&p->net, slice_str(line), NULL) ? hear_status(p, NULL) : LOGIN_OVER;
  if (a == LOGIN_ACCEPTED) return true;
  *ret_code = a == LOGIN_OVER ? over(p) : cli_fail(CLI_EXIT_UNAVAILABLE, "%s: %s", line, p->text);
  return false;
}

bool pop3_client_text(struct pop3_client *p, bool (*take)(void *arg, struct slice piece), void *arg,
                      int *ret_code) {
  struct pop3_unstuffer u;
  struct buf out;
  bool ok = true;
  enum pop3_unstuff r = POP3_UNSTUFF_MORE;
  pop3_unstuff_open(&u, MESSAGE_MAX);
  buf_init(&out, 64 * 1024);
  while (ok && r == POP3_UNSTUFF_MORE) {
    struct slice in = buf_slice(&p->net.in);
    r = pop3_unstuff_put(&u, &in, &out);
    bool moved = buf_len(&out) > 0 || in.n != buf_len(&p->net.in);
    buf_drop(&p->net.in, buf_len(&p->net.in) - in.n);
    if (buf_len(&out)) ok = take(arg, buf_slice(&out));
    buf_reset(&out);
    if (ok && r == POP3_UNSTUFF_MORE && !moved) ok = net_fill(&p->net);
  }
  buf_free(&out);
  if (r == POP3_UNSTUFF_TOO_BIG)
    *ret_code = cli_fail(CLI_EXIT_PROTOCOL, "%s sends a message without end", p->net.url.host);
  else if (!ok && p->net.over)
    *ret_code = over(p);
  return ok && r == POP3_UNSTUFF_END;
}

struct liner {
  struct pop3_client *p;
  struct buf rest;
  void (*each)(void *arg, struct slice line);
  void *arg;
};

static bool take_lines(void *arg, struct slice piece) {
  struct liner *l = arg;
  buf_put(&l->rest, piece);
  struct slice s = buf_slice(&l->rest);
  size_t whole = (size_t)(slice_rfind(s, '\n') + 1);
  for (struct slice part = slice_first(s, whole); part.n;) {
    struct slice line = slice_split(&part, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    net_show(&l->p->net, "S", line);
    l->each(l->arg, line);
  }
  buf_drop(&l->rest, whole);
  return !l->rest.failed;
}

bool pop3_client_lines(struct pop3_client *p, void (*each)(void *arg, struct slice line), void *arg,
                       int *ret_code) {
  struct liner l = { .p = p, .each = each, .arg = arg };
  buf_init(&l.rest, 64 * 1024 + POP3_ENDLESS);
  bool ok = pop3_client_text(p, take_lines, &l, ret_code);
  if (!ok && l.rest.failed)
    *ret_code = cli_fail(CLI_EXIT_PROTOCOL, "%s sends lines that are too long", p->net.url.host);
  if (ok) net_show(&p->net, "S", SLICE("."));
  buf_free(&l.rest);
  return ok;
}

/* --- opening --- */

static void take_capability(void *arg, struct slice line) {
  struct pop3_client *p = arg;
  struct slice tag = slice_split(&line, ' ');
  if (slice_caseeq(tag, SLICE("STLS"))) p->stls = true;
  if (slice_caseeq(tag, SLICE("USER"))) p->user = true;
  if (slice_caseeq(tag, SLICE("UIDL"))) p->uidl = true;
  if (slice_caseeq(tag, SLICE("SASL")) && line.n < sizeof p->mechanisms)
    snprintf(p->mechanisms, sizeof p->mechanisms, "%.*s", SLICE_ARG(line));
}

/* RFC 2449 §5. A server that does not know CAPA is one of RFC 1939: USER, perhaps APOP. */
static bool ask_capabilities(struct pop3_client *p, int *ret_code) {
  p->stls = p->user = p->uidl = p->capable = false;
  p->mechanisms[0] = 0;
  enum login_answer a = net_line(&p->net, SLICE("CAPA"), NULL) ? hear_status(p, NULL) : LOGIN_OVER;
  if (a == LOGIN_REFUSED) return p->user = true;
  if (a == LOGIN_ACCEPTED) {
    p->capable = true;
    return pop3_client_lines(p, take_capability, p, ret_code);
  }
  *ret_code = over(p);
  return false;
}

static bool start_tls(struct pop3_client *p, int *ret_code) {
  if (p->net.tls || p->net.plain) return true;
  if (!p->stls && !p->net.strict) return true;
  if (!p->stls) {
    *ret_code = cli_fail(CLI_EXIT_REFUSED, "%s has no STLS", p->net.url.host);
    return false;
  }
  if (!pop3_client_ask(p, "STLS", ret_code)) return false;
  if (!net_start_tls(&p->net)) {
    *ret_code = cli_fail(CLI_EXIT_REFUSED, "%s", p->net.error);
    return false;
  }
  return ask_capabilities(p, ret_code); /* RFC 2595 §4: what was said before counts no more */
}

int pop3_client_open(struct pop3_client *p, const struct cli *c, const struct url *url) {
  *p = (struct pop3_client){ 0 };
  int code = net_open(&p->net, c, url, "pop3");
  if (code != CLI_EXIT_OK) return code;
  struct buf line;
  struct pop3_reply r;
  struct slice stamp;
  buf_init(&line, POP3_REPLY_MAX);
  bool heard = next_line(p, POP3_REPLY_MAX, &line), ok = heard && pop3_reply_parse(buf_slice(&line), &r);
  if (heard) net_show(&p->net, "S", buf_slice(&line));
  if (ok && r.status == POP3_OK && pop3_reply_timestamp(r.text, &stamp) && stamp.n < sizeof p->timestamp)
    snprintf(p->timestamp, sizeof p->timestamp, "%.*s", SLICE_ARG(stamp));
  if (!heard)
    code = over(p);
  else if (!ok || r.status != POP3_OK)
    code =
        cli_fail(CLI_EXIT_UNAVAILABLE, "%s does not let us in: %.*s", url->host, SLICE_ARG(buf_slice(&line)));
  buf_free(&line);
  if (code == CLI_EXIT_OK && ask_capabilities(p, &code)) start_tls(p, &code);
  return code;
}

void pop3_client_close(struct pop3_client *p) { net_close(&p->net); }

/* --- logging in --- */

static enum login_answer hear_sasl(struct net *n, struct buf *ret) {
  struct pop3_client *p = (struct pop3_client *)n; /* its first member */
  enum login_answer a = hear_status(p, ret);
  if (a == LOGIN_REFUSED) buf_put_str(ret, p->text);
  return a;
}

static enum login_answer say(struct pop3_client *p, const char *verb, struct slice argument,
                             const char *shown) {
  struct buf line;
  buf_init(&line, 4096);
  buf_reserve(&line, argument.n + 64);
  buf_printf(&line, "%s ", verb);
  buf_put(&line, argument);
  bool ok = !line.failed && slice_find(argument, '\r') < 0 && slice_find(argument, '\n') < 0 &&
            net_line(&p->net, buf_slice(&line), shown);
  buf_wipe(&line);
  return ok ? hear_status(p, NULL) : LOGIN_OVER;
}

static enum login_answer login_user(struct pop3_client *p, struct slice user, struct slice password) {
  enum login_answer a = say(p, "USER", user, NULL);
  return a == LOGIN_ACCEPTED ? say(p, "PASS", password, "PASS (password)") : a;
}

/* RFC 1939 §7: the digest is MD5 of the timestamp and the shared secret. */
static enum login_answer login_apop(struct pop3_client *p, struct slice user, struct slice password) {
  uint8_t digest[DIGEST_MD5_SIZE];
  struct slice parts[] = { slice_str(p->timestamp), password };
  struct buf argument;
  buf_init(&argument, 1024);
  buf_put(&argument, user);
  buf_put_u8(&argument, ' ');
  enum login_answer a = LOGIN_REFUSED;
  snprintf(p->text, sizeof p->text, "MD5 is not to be had here");
  if (digest_parts(DIGEST_MD5, parts, 2, digest)) {
    hex_put(&argument, slice_of(digest, sizeof digest));
    a = say(p, "APOP", buf_slice(&argument), NULL);
  }
  buf_free(&argument);
  return a;
}

/* Without TLS, on another machine, a password is shown to everyone on the way. */
static bool may_show(const struct pop3_client *p) { return p->net.tls || p->net.plain; }

static int choose_and_log_in(struct pop3_client *p, const char *named, struct slice user,
                             struct slice password, enum login_answer *ret) {
  struct slice offered = slice_str(p->mechanisms);
  bool apop = named ? strcasecmp(named, "apop") == 0 : !p->net.tls && p->timestamp[0] && !p->authzid.n;
  const struct sasl_mechanism *m = apop ? NULL : login_choose(offered, named, p->net.tls != NULL);
  bool basic = !apop && (named ? strcasecmp(named, "user") == 0 : !m);
  if (apop && !p->timestamp[0])
    return cli_fail(CLI_EXIT_UNAVAILABLE, "%s has no APOP: its greeting has no timestamp", p->net.url.host);
  if (p->authzid.n && (apop || basic))
    return cli_fail(CLI_EXIT_UNAVAILABLE, "%s has no SASL mechanism to log in for another", p->net.url.host);
  if (!apop && !basic && !m) return cli_fail(CLI_EXIT_USAGE, "--auth %s is not known", named);
  if ((basic || (m && m->plaintext)) && !may_show(p))
    return cli_fail(CLI_EXIT_REFUSED,
                    "%s has no TLS, and the password would go in the clear; --no-starttls lets it",
                    p->net.url.host);
  struct buf why;
  buf_init(&why, 4096);
  if (apop)
    *ret = login_apop(p, user, password);
  else if (basic)
    *ret = login_user(p, user, password);
  else
    *ret = login_sasl(&p->net, m, user, p->authzid, offered, password, POP3_COMMAND_MAX, hear_sasl, &why);
  if (buf_len(&why)) snprintf(p->text, sizeof p->text, "%.*s", SLICE_ARG(buf_slice(&why)));
  buf_free(&why);
  return CLI_EXIT_OK;
}

int pop3_client_login(struct pop3_client *p, const char *named, struct slice user, struct slice password) {
  enum login_answer a = LOGIN_REFUSED;
  int code = choose_and_log_in(p, named, user, password, &a);
  if (code != CLI_EXIT_OK || a == LOGIN_ACCEPTED) return code;
  return a == LOGIN_OVER ? over(p) : cli_fail(CLI_EXIT_REFUSED, "the login was refused: %s", p->text);
}
