/* SPDX-License-Identifier: ISC */
/* Splits POP3 command lines into verb and argument, with one parser for each shape of arguments.
 * Invariant: a handler sees arguments only if they passed the rule of their kind; slices are
 * borrowed from the line. */
#include "mail/pop3/command.h"

#include "lib/base/num.h"
#include "lib/base/utf8.h"
#include "lib/base/codec.h"

struct pop3_command pop3_command_split(struct slice line) {
  ptrdiff_t space = slice_find(line, ' ');
  if (space < 0) return (struct pop3_command){ .verb = line };
  return (struct pop3_command){
    .verb = slice_first(line, (size_t)space),
    .has_args = true,
    .args = slice_from(line, (size_t)space + 1),
  };
}

/* "01" is refused: one number has one spelling. */
static bool plain_decimal(struct slice s, uint64_t max, uint64_t *ret) {
  if (s.n > 1 && slice_at(s, 0) == '0') return false;
  return num_parse(s, max, ret);
}

static bool message_number(struct slice s, uint64_t *ret) {
  return plain_decimal(s, UINT32_MAX, ret) && *ret > 0;
}

/* 1*VCHAR */
static bool is_word(struct slice s) { return s.n > 0 && slice_is_graph(s); }

/* RFC 6856 §2.2: user names and passwords may be UTF-8. */
static bool is_utf8_word(struct slice s) {
  return s.n > 0 && slice_find(s, ' ') < 0 && !slice_has_control(s) && utf8_is_valid(s);
}

static bool arg_none(struct slice s, struct pop3_args *a) { return false; }

static bool arg_number(struct slice s, struct pop3_args *a) {
  return message_number(s, &a->number);
}

static bool arg_top(struct slice s, struct pop3_args *a) {
  struct slice msg = slice_split(&s, ' ');
  return message_number(msg, &a->number) && plain_decimal(s, UINT64_MAX, &a->lines);
}

static bool arg_name(struct slice s, struct pop3_args *a) {
  a->name = s;
  return is_utf8_word(s);
}

/* Any octets, including 8-bit ones, except those that could end a line or a string elsewhere. */
static bool arg_password(struct slice s, struct pop3_args *a) {
  a->text = s;
  a->has_text = true;
  return slice_find(s, 0) < 0 && slice_find(s, '\r') < 0 && slice_find(s, '\n') < 0;
}

/* RFC 1939 §7: "a 16-octet value which is sent in hexadecimal format, using lower-case". */
static bool arg_apop(struct slice s, struct pop3_args *a) {
  a->name = slice_split(&s, ' ');
  if (!is_utf8_word(a->name) || s.n != 2 * sizeof a->digest) return false;
  for (size_t i = 0; i < sizeof a->digest; i++) {
    int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    a->digest[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

/* RFC 4422 §3.1: 1 to 20 of A-Z 0-9 - _ */
static bool is_mechanism(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_') return false;
  return s.n > 0 && s.n <= 20;
}

static bool arg_auth(struct slice s, struct pop3_args *a) {
  a->has_text = slice_find(s, ' ') >= 0;
  a->name = slice_split(&s, ' ');
  a->text = s;
  return is_mechanism(a->name) && (!a->has_text || is_word(s));
}

/* RFC 4647 §2.1: language-range = (1*8ALPHA *("-" 1*8alphanum)) / "*" */
static bool arg_lang(struct slice s, struct pop3_args *a) {
  a->name = s;
  if (slice_eq(s, SLICE("*"))) return true;
  size_t run = 0;
  bool first = true;
  for (size_t i = 0; i < s.n; i++) {
    bool dash = s.p[i] == '-', fits = first ? ascii_is_alpha(s.p[i]) : ascii_is_alnum(s.p[i]);
    if (dash ? run == 0 : !fits || run == 8) return false;
    run = dash ? 0 : run + 1;
    if (dash) first = false;
  }
  return run > 0;
}

/* verbatim: blanks at the end belong to the argument. */
static const struct {
  const char *usage;
  bool optional;
  bool (*parse)(struct slice s, struct pop3_args *a);
  bool verbatim;
} kinds[POP3_ARG_KINDS] = {
  [POP3_ARG_NONE] = { "", true, arg_none },
  [POP3_ARG_NUMBER] = { " msg", false, arg_number },
  [POP3_ARG_MAYBE_NUMBER] = { " [msg]", true, arg_number },
  [POP3_ARG_TOP] = { " msg n", false, arg_top },
  [POP3_ARG_NAME] = { " name", false, arg_name },
  [POP3_ARG_PASSWORD] = { " string", false, arg_password, true },
  [POP3_ARG_APOP] = { " name digest", false, arg_apop },
  [POP3_ARG_LANG] = { " [language]", true, arg_lang },
  [POP3_ARG_AUTH] = { " [mechanism [initial-response]]", true, arg_auth },
};

/* Some clients send "QUIT ", "LIST ", "AUTH ": RFC 1939 §3 permits no such blank, but refusing QUIT
 * would undo the deletions of the session. */
static struct slice without_blanks(struct slice s) {
  while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
  return s;
}

bool pop3_args_parse(enum pop3_arg kind, const struct pop3_command *c, struct pop3_args *ret) {
  struct slice args = kinds[kind].verbatim ? c->args : without_blanks(c->args);
  bool present = kinds[kind].verbatim ? c->has_args : args.n > 0;
  *ret = (struct pop3_args){ .present = present };
  return present ? kinds[kind].parse(args, ret) : kinds[kind].optional;
}

const char *pop3_arg_usage(enum pop3_arg kind) { return kinds[kind].usage; }
