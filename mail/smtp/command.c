/* SPDX-License-Identifier: ISC */
/* Parsers for the arguments of MAIL, RCPT, AUTH and EHLO, and a table of the ESMTP parameters.
 * Invariants: a parameter is accepted only if it was offered, at most once, and with a value of
 * its own grammar; slices in the result are borrowed from the argument; the result is not to be
 * used unless SMTP_OK was returned. */
#include "mail/smtp/command.h"

#include "lib/base/num.h"
#include "lib/base/utf8.h"
#include "mail/xtext.h"

static bool is_blank(int c) { return c == ' ' || c == '\t'; }

static struct slice skip_blanks(struct slice s) {
  while (is_blank(slice_at(s, 0))) s = slice_from(s, 1);
  return s;
}

struct smtp_command smtp_command_cut(struct slice line) {
  while (line.n && is_blank(line.p[line.n - 1])) line.n--;
  struct smtp_command c = { .argument = SLICE_NONE };
  size_t n = 0;
  while (n < line.n && !is_blank(line.p[n])) n++;
  c.verb = slice_first(line, n);
  if (n < line.n) c.argument = skip_blanks(slice_from(line, n));
  return c;
}

/* "FROM" or "TO", and the colon. */
static bool take_keyword(struct slice *argument, struct slice keyword, bool freely) {
  if (!slice_case_starts(*argument, keyword)) return false;
  struct slice rest = slice_from(*argument, keyword.n);
  if (freely) rest = skip_blanks(rest);
  if (slice_at(rest, 0) != ':') return false;
  rest = slice_from(rest, 1);
  while (slice_at(rest, 0) == ' ') rest = slice_from(rest, 1);
  *argument = freely ? skip_blanks(rest) : rest;
  return true;
}

/* --- parameters --- */

/* The parameters of one command; each parser sets its own. */
struct params {
  unsigned given;
  uint64_t size;
  enum smtp_body body;
  uint8_t ret, notify;
  bool utf8; /* values may be UTF-8 */
  struct slice envid, orcpt;
};

/* size-value = 1*20DIGIT (RFC 1870 §3). A number that overflows is a size that is always
 * refused. */
static bool param_size(struct slice value, struct params *p) {
  for (size_t i = 0; i < value.n; i++)
    if (!ascii_is_digit(value.p[i])) return false;
  if (value.n == 0 || value.n > 20) return false;
  if (!num_parse(value, UINT64_MAX, &p->size)) p->size = UINT64_MAX;
  return true;
}

/* body-value = "7BIT" / "8BITMIME" (RFC 6152 §2) */
static bool param_body(struct slice value, struct params *p) {
  p->body = slice_caseeq(value, SLICE("8BITMIME")) ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
  return p->body == SMTP_BODY_8BITMIME || slice_caseeq(value, SLICE("7BIT"));
}

/* Its value, a mailbox or "<>", is not used: a server may treat every AUTH= as AUTH=<> (RFC 4954
 * §5). */
static bool param_auth(struct slice value, struct params *p) {
  return value.n > 0 && value.n <= 500 && xtext_is_valid(value);
}

/* "FULL" / "HDRS" (RFC 3461 §4.3) */
static bool param_ret(struct slice value, struct params *p) {
  p->ret = slice_caseeq(value, SLICE("FULL")) ? SMTP_RET_FULL : SMTP_RET_HDRS;
  return p->ret == SMTP_RET_FULL || slice_caseeq(value, SLICE("HDRS"));
}

static bool param_envid(struct slice value, struct params *p) {
  p->envid = value;
  return xtext_is_printable(value, SMTP_ENVID_MAX);
}

/* "NEVER" / 1#("SUCCESS" / "FAILURE" / "DELAY") (RFC 3461 §4.1). A repeated word has no further
 * effect. */
static bool param_notify(struct slice value, struct params *p) {
  for (bool more = true; more;) {
    more = slice_find(value, ',') >= 0;
    struct slice word = slice_split(&value, ',');
    uint8_t bit = smtp_notify_of(word);
    if (!bit) return false;
    p->notify |= bit;
  }
  return !(p->notify & SMTP_NOTIFY_NEVER) || p->notify == SMTP_NOTIFY_NEVER;
}

/* "utf-8;" with the 7-bit form, or (under SMTPUTF8) the address itself: RFC 6533 §3. */
static bool is_utf8_orcpt(struct slice value, const struct params *p) {
  if (!slice_has_high(value))
    return xtext_is_printable(value, SMTP_ORCPT_MAX) && slice_find(value, '+') < 0;
  return p->utf8 && value.n <= SMTP_ORCPT_MAX / 4;
}

/* addr-type ";" xtext, the type an atom (RFC 3461 §4.2). */
static bool param_orcpt(struct slice value, struct params *p) {
  ptrdiff_t at = slice_find(value, ';');
  p->orcpt = value;
  for (ptrdiff_t i = 0; i < at; i++)
    if (!ascii_is_alnum(value.p[i]) && !(value.p[i] && strchr("!#$%&'*+-/=?^_`{|}~", value.p[i])))
      return false;
  if (at == 5 && slice_case_starts(value, SLICE("utf-8")))
    return is_utf8_orcpt(slice_from(value, 6), p);
  return at > 0 && at <= SMTP_ORCPT_TYPE_MAX &&
         xtext_is_printable(slice_from(value, (size_t)at + 1), SMTP_ORCPT_MAX);
}

/* RFC 6531 §3.4: "it MUST not accept a value"; take_param() has checked that. */
static bool param_utf8(struct slice value, struct params *p) { return true; }

static const struct param {
  struct slice keyword;
  enum smtp_param bit;
  bool (*parse)(struct slice value, struct params *p);
} known_params[] = {
  { { (const uint8_t *)"SIZE", 4 }, SMTP_PARAM_SIZE, param_size },
  { { (const uint8_t *)"BODY", 4 }, SMTP_PARAM_BODY, param_body },
  { { (const uint8_t *)"AUTH", 4 }, SMTP_PARAM_AUTH, param_auth },
  { { (const uint8_t *)"RET", 3 }, SMTP_PARAM_RET, param_ret },
  { { (const uint8_t *)"ENVID", 5 }, SMTP_PARAM_ENVID, param_envid },
  { { (const uint8_t *)"NOTIFY", 6 }, SMTP_PARAM_NOTIFY, param_notify },
  { { (const uint8_t *)"ORCPT", 5 }, SMTP_PARAM_ORCPT, param_orcpt },
  { { (const uint8_t *)"SMTPUTF8", 8 }, SMTP_PARAM_UTF8, param_utf8 },
};
enum {
  MAIL_PARAMS = SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_AUTH | SMTP_PARAM_RET |
                SMTP_PARAM_ENVID | SMTP_PARAM_UTF8,
  RCPT_PARAMS = SMTP_PARAM_NOTIFY | SMTP_PARAM_ORCPT,
};

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alnum(s.p[i]) && (i == 0 || s.p[i] != '-')) return false;
  return s.n > 0;
}

/* esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii): no "=", no control, no space. A value that
 * is given is not empty. */
static bool is_param(struct slice keyword, bool has_value, struct slice value) {
  if (!utf8_is_valid(value)) return false;
  for (size_t i = 0; i < value.n; i++)
    if (value.p[i] < 33 || value.p[i] == 127 || value.p[i] == '=') return false;
  return is_keyword(keyword) && (!has_value || value.n > 0);
}

static enum smtp_outcome take_param(struct slice param, unsigned offered, struct params *p) {
  struct slice value = param;
  bool has_value = slice_find(param, '=') >= 0;
  struct slice keyword = slice_split(&value, '=');
  if (!is_param(keyword, has_value, value)) return SMTP_PARAM_BAD;
  if (slice_has_high(value) && !p->utf8) return SMTP_PARAM_BAD;
  for (size_t i = 0; i < sizeof known_params / sizeof *known_params; i++) {
    const struct param *k = &known_params[i];
    if (!(k->bit & offered) || !slice_caseeq(keyword, k->keyword)) continue;
    if ((p->given & k->bit) || (has_value == (k->bit == SMTP_PARAM_UTF8)) || !k->parse(value, p))
      return SMTP_PARAM_BAD;
    p->given |= k->bit;
    return SMTP_OK;
  }
  return SMTP_PARAM_UNKNOWN;
}

/* *(SP esmtp-param), after the path. */
static enum smtp_outcome take_params(struct slice rest, unsigned offered, struct params *p) {
  while (rest.n) {
    struct slice param = slice_split(&rest, ' ');
    if (param.n == 0) continue; /* more spaces than one */
    enum smtp_outcome o = take_param(param, offered, p);
    if (o != SMTP_OK) return o;
  }
  return SMTP_OK;
}

/* --- arguments --- */

/* True if the path is followed by nothing or by a space. */
static bool path_ends(struct slice rest) { return rest.n == 0 || rest.p[0] == ' '; }

enum smtp_outcome smtp_mail_parse(struct slice argument, unsigned offered, struct slice domain,
                                  struct smtp_mail *ret) {
  bool freely = domain.n > 0;
  *ret = (struct smtp_mail){ 0 };
  if (!take_keyword(&argument, SLICE("FROM"), freely)) return SMTP_SENDER_SYNTAX;
  enum address_error e = freely ? address_take_reverse_free(&argument, domain, &ret->sender)
                                : address_take_reverse(&argument, &ret->sender);
  if (e || !path_ends(argument)) return SMTP_SENDER_SYNTAX;
  struct params p = { .envid = SLICE_NONE };
  enum smtp_outcome o = take_params(argument, offered & MAIL_PARAMS, &p);
  ret->given = p.given;
  ret->size = p.size;
  ret->body = p.body;
  ret->ret = p.ret;
  ret->envid = p.envid;
  ret->utf8 = (p.given & SMTP_PARAM_UTF8) != 0;
  return o == SMTP_OK && ret->sender.utf8 && !ret->utf8 ? SMTP_UTF8_SENDER : o;
}

enum smtp_outcome smtp_rcpt_parse(struct slice argument, unsigned offered, struct slice domain,
                                  struct smtp_recipient *ret) {
  bool freely = domain.n > 0;
  *ret = (struct smtp_recipient){ .orcpt = SLICE_NONE };
  if (!take_keyword(&argument, SLICE("TO"), freely)) return SMTP_RCPT_SYNTAX;
  enum address_error e = freely ? address_take_forward_free(&argument, domain, &ret->address)
                                : address_take_forward(&argument, &ret->address);
  if (e || !path_ends(argument)) return SMTP_RCPT_SYNTAX;
  if (ret->address.utf8 && !(offered & SMTP_PARAM_UTF8)) return SMTP_UTF8_RCPT;
  struct params p = { .orcpt = SLICE_NONE, .utf8 = (offered & SMTP_PARAM_UTF8) != 0 };
  enum smtp_outcome o = take_params(argument, offered & RCPT_PARAMS, &p);
  ret->given = p.given;
  ret->notify = p.notify;
  ret->orcpt = p.orcpt;
  return o;
}

/* sasl-mech = 1*20mech-char: A-Z, 0-9, "-", "_" (RFC 4422 §3.1); any case is read. */
static bool is_mechanism(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_') return false;
  return s.n > 0 && s.n <= SMTP_MECHANISM_MAX;
}

enum smtp_outcome smtp_auth_parse(struct slice argument, struct smtp_auth *ret) {
  *ret = (struct smtp_auth){ 0 };
  ret->has_initial = slice_find(argument, ' ') >= 0;
  ret->mechanism = slice_split(&argument, ' ');
  ret->initial = argument;
  if (!is_mechanism(ret->mechanism) || (ret->has_initial && argument.n == 0)) return SMTP_SYNTAX;
  if (slice_eq(ret->initial, SLICE("="))) ret->initial = SLICE_NONE;
  return SMTP_OK;
}

bool smtp_helo_ok(struct slice name) {
  for (size_t i = 0; i < name.n; i++)
    if (ascii_is_control(name.p[i]) && name.p[i] != '\t') return false;
  return name.n > 0 && name.n <= SMTP_DOMAIN_MAX;
}
