#include "lib/smtp/command.h"

#include "lib/base/num.h"

struct smtp_command smtp_command_cut(struct slice line) {
  while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t')) line.n--;
  struct smtp_command c = { .argument = line };
  c.verb = slice_split(&c.argument, ' ');
  return c;
}

/* "FROM:" or "TO:". Spaces behind the colon are against the letter (§3.3) and common. */
static bool take_keyword(struct slice *argument, struct slice keyword) {
  if (!slice_case_starts(*argument, keyword)) return false;
  *argument = slice_from(*argument, keyword.n);
  while (slice_at(*argument, 0) == ' ') *argument = slice_from(*argument, 1);
  return true;
}


/* --- parameters --- */

/* size-value = 1*20DIGIT (RFC 1870 §3) */
static bool param_size(struct slice value, struct smtp_mail *m) {
  return value.n <= 20 && num_parse(value, UINT64_MAX, &m->size);
}

/* body-value = "7BIT" / "8BITMIME" (RFC 6152 §2) */
static bool param_body(struct slice value, struct smtp_mail *m) {
  m->body = slice_caseeq(value, SLICE("8BITMIME")) ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
  return m->body == SMTP_BODY_8BITMIME || slice_caseeq(value, SLICE("7BIT"));
}

static bool is_hex_upper(int c) { return ascii_is_digit(c) || (c >= 'A' && c <= 'F'); }

/* xtext = *( xchar / "+" 2HEXDIG ), upper case only (RFC 3461 §4). What it stands for, a mailbox or
 * "<>", is not used: a server may treat every AUTH= as AUTH=<> (RFC 4954 §5). */
static bool param_auth(struct slice value, struct smtp_mail *m) {
  for (size_t i = 0; i < value.n; i++) {
    uint8_t c = value.p[i];
    if (c != '+') continue;
    if (!is_hex_upper(slice_at(value, i + 1)) || !is_hex_upper(slice_at(value, i + 2))) return false;
    i += 2;
  }
  return value.n > 0 && value.n <= 500;
}

static const struct param {
  struct slice keyword;
  enum smtp_param bit;
  bool (*parse)(struct slice value, struct smtp_mail *m);
} mail_params[] = {
  { { (const uint8_t *)"SIZE", 4 }, SMTP_PARAM_SIZE, param_size },
  { { (const uint8_t *)"BODY", 4 }, SMTP_PARAM_BODY, param_body },
  { { (const uint8_t *)"AUTH", 4 }, SMTP_PARAM_AUTH, param_auth },
};

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alnum(s.p[i]) && (i == 0 || s.p[i] != '-')) return false;
  return s.n > 0;
}

/* esmtp-value = 1*(%d33-60 / %d62-126): no "=", no control, no space. A value that is given is not
 * empty. */
static bool is_param(struct slice keyword, bool has_value, struct slice value) {
  for (size_t i = 0; i < value.n; i++)
    if (value.p[i] < 33 || value.p[i] > 126 || value.p[i] == '=') return false;
  return is_keyword(keyword) && (!has_value || value.n > 0);
}

static enum smtp_outcome take_param(struct slice param, unsigned offered, struct smtp_mail *m) {
  struct slice value = param;
  bool has_value = slice_find(param, '=') >= 0;
  struct slice keyword = slice_split(&value, '=');
  if (!is_param(keyword, has_value, value)) return SMTP_PARAM_BAD;
  for (size_t i = 0; i < sizeof mail_params / sizeof *mail_params; i++) {
    const struct param *p = &mail_params[i];
    if (!(p->bit & offered) || !slice_caseeq(keyword, p->keyword)) continue;
    if ((m->given & p->bit) || !p->parse(value, m)) return SMTP_PARAM_BAD;
    m->given |= p->bit;
    return SMTP_OK;
  }
  return SMTP_PARAM_UNKNOWN;
}

/* *(SP esmtp-param), behind the path. */
static enum smtp_outcome take_params(struct slice rest, unsigned offered, struct smtp_mail *m) {
  while (rest.n) {
    struct slice param = slice_split(&rest, ' ');
    if (param.n == 0) continue; /* more spaces than one */
    enum smtp_outcome o = take_param(param, offered, m);
    if (o != SMTP_OK) return o;
  }
  return SMTP_OK;
}

/* --- arguments --- */

/* The path is followed by nothing or by a space. */
static bool path_ends(struct slice rest) { return rest.n == 0 || rest.p[0] == ' '; }

enum smtp_outcome smtp_mail_parse(struct slice argument, unsigned offered, struct smtp_mail *ret) {
  *ret = (struct smtp_mail){ 0 };
  if (!take_keyword(&argument, SLICE("FROM:"))) return SMTP_SENDER_SYNTAX;
  enum address_error e = address_take_reverse(&argument, &ret->sender);
  if (e == ADDRESS_UTF8) return SMTP_UTF8_ADDRESS;
  if (e || !path_ends(argument)) return SMTP_SENDER_SYNTAX;
  return take_params(argument, offered, ret);
}

enum smtp_outcome smtp_rcpt_parse(struct slice argument, struct address *ret) {
  struct smtp_mail none = { 0 };
  if (!take_keyword(&argument, SLICE("TO:"))) return SMTP_RCPT_SYNTAX;
  enum address_error e = address_take_forward(&argument, ret);
  if (e == ADDRESS_UTF8) return SMTP_UTF8_ADDRESS;
  if (e || !path_ends(argument)) return SMTP_RCPT_SYNTAX;
  return take_params(argument, 0, &none);
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
    if (name.p[i] <= 32 || name.p[i] > 126) return false;
  return name.n > 0 && name.n <= SMTP_DOMAIN_MAX;
}
