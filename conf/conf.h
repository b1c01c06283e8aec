/* SPDX-License-Identifier: ISC */
/* The configuration as a struct: one member for each row of options.def, filled from one file with
 * libconfuse's grammar. Read-only once loaded. */
#ifndef QASID_CONF_H
#define QASID_CONF_H

#include "lib/base/buf.h"

struct conf_list {
  const char **items;
  size_t count;
};

#define CONF_NUM uint64_t
#define CONF_SIZE uint64_t
#define CONF_TIME uint64_t
#define CONF_DAYS uint64_t
#define CONF_NEVER UINT64_MAX /* of a DAYS option */
#define CONF_FLAG bool
#define CONF_TEXT const char *
#define CONF_LIST struct conf_list
#define CONF_WORD uint8_t

struct conf {
#define OPTION(kind, name, def, least, most, reload, section, prose) CONF_##kind name;
#include "conf/options.def"
#undef OPTION
};

/* Reads and checks the file at `path`. NULL when anything is wrong; `err` then has one line for
 * each mistake: "file:line: option: what is wrong, what was meant". */
struct conf *conf_load(const char *path, struct buf *err);
/* For a file with mistakes: the defaults with the file's run_dir, so that the command line can
 * reach the server that runs with this file. NULL when the file cannot be read, or its run_dir is
 * wrong or cannot be determined. Reports nothing. */
struct conf *conf_load_run_dir(const char *path);
/* The same from text (as conf_dump() makes it); `name` is used for the file in messages. */
struct conf *conf_parse(struct slice text, const char *name, struct buf *err);
/* All defaults. */
struct conf *conf_defaults(void);
void conf_free(struct conf **c);
/* Sets the machine's own name if the file gives none. False without memory. */
bool conf_set_hostname(struct conf *c, const char *name);
/* The whole configuration as a file that conf_parse reads back to the same values. */
void conf_dump(const struct conf *c, struct buf *out);
/* Encodes the configuration for other processes, and decodes it; NULL when it is malformed or
 * memory is missing. */
void conf_pack(const struct conf *c, struct buf *out);
struct conf *conf_unpack(struct slice packed);
/* The same with only the named options, separated by spaces; the decoder sees the defaults of all
 * others. */
void conf_pack_only(const struct conf *c, const char *names, struct buf *out);
/* The value of the number option with that name; 0: there is none. */
uint64_t conf_number(const struct conf *c, const char *name);
/* The configuration after a reload: `next`, but with the options that need a restart as they are in
 * `running`. A process that is restarted later then has the same folders and limits as its
 * neighbours. NULL without memory. */
struct conf *conf_reloaded(const struct conf *running, const struct conf *next);
/* Names, comma-separated, of options that differ and take effect by a reload. */
void conf_changes(const struct conf *before, const struct conf *after, struct buf *out);
/* Names, comma-separated, of options that differ and need a restart. */
void conf_restart_needed(const struct conf *before, const struct conf *after, struct buf *out);
/* The words of WORD options, as indexes into their lists. */
enum { CONF_BARE_LF_REJECT, CONF_BARE_LF_FIX };
enum { CONF_SENDER_CHECK_REJECT, CONF_SENDER_CHECK_ENVELOPE, CONF_SENDER_CHECK_OFF };
enum { CONF_SUBMISSION_FROM_REFUSE, CONF_SUBMISSION_FROM_ADD };
enum { CONF_POP3_SURROGATES_RFC6857, CONF_POP3_SURROGATES_RFC6858, CONF_POP3_SURROGATES_AS_IS };
enum { CONF_DKIM_KEY_TROUBLE_DEFER, CONF_DKIM_KEY_TROUBLE_SEND };
enum { CONF_TLS_1_2, CONF_TLS_1_3 };
enum { CONF_APOP_AUTO, CONF_APOP_YES, CONF_APOP_NO };

/* One row of options.def, for code that handles all options: the parser, the dump, the
 * documents. */
enum conf_kind {
  CONF_KIND_NUM,
  CONF_KIND_SIZE,
  CONF_KIND_TIME,
  CONF_KIND_DAYS,
  CONF_KIND_FLAG,
  CONF_KIND_TEXT,
  CONF_KIND_LIST,
  CONF_KIND_WORD
};
struct conf_option {
  enum conf_kind kind;
  const char *name, *def; /* the default as it would stand in the file */
  uint64_t least, most;   /* NUM, SIZE, TIME, DAYS: the range; TEXT: the length */
  const char *words;      /* WORD: "a|b" */
  bool reloads;           /* a SIGHUP makes it take effect */
  const char *section, *prose;
  size_t offset; /* of the member in struct conf */
};
extern const struct conf_option conf_options[];
extern const size_t conf_option_count;

/* Networks are "192.0.2.0/24", "2001:db8::/32" or an address alone. Whether `peer` (4 or
 * 16 octets) is in one of them. */
bool conf_in_networks(const struct conf_list *networks, struct slice peer);
bool conf_is_network(struct slice text);
/* "HOST:PORT", HOST an IPv4 address, an IPv6 address in brackets, or *. Port 1 to 65535.
 * `ret_host` is without brackets. */
bool conf_listen_split(struct slice text, struct slice *ret_host, uint16_t *ret_port);

enum { CONF_DIALS_MAX = 64 /* ports that the sandbox lets a process connect to */ };

/* --- routes.c: the option `routes` --- */
enum conf_route_by {
  CONF_ROUTE_ANY,
  CONF_ROUTE_SENDER,
  CONF_ROUTE_ACCOUNT,
  CONF_ROUTE_BELOW,
  CONF_ROUTE_DOMAIN
};
/* The next word off a line. */
struct slice conf_route_word(struct slice *line);
/* The kind of selector in the first word of a line, and the name in it. */
enum conf_route_by conf_route_by(struct slice selector, struct slice *ret_value);
/* The mail to be routed: its destination's domain, folded; the account that submitted it and the
 * domain of its sender, which select routes. Empty: none. */
struct conf_route_asked {
  struct slice destination, account, sender;
};
/* The number of the line that decides, from 1; 0: none. */
size_t conf_route_find(const struct conf_list *routes, const struct conf_route_asked *q);
/* That line's selector if it selects by account or sender: such mail is a destination of its own.
 * Else empty. */
struct slice conf_route_sender(const struct conf_list *routes, const struct conf_route_asked *q);
/* The port of the line's host; `usual` if it has none. 0: malformed. */
uint16_t conf_route_port(struct slice line, uint16_t usual);
/* The ports that mail is sent to: remote_port, and those of `routes`. Returns how many, or
 * CONF_DIALS_MAX plus the number (from 1) of the first line whose port is one too many. */
size_t conf_route_ports(const struct conf *c, uint16_t ret[CONF_DIALS_MAX]);
/* The user in its word "login=USER"; no text if there is none. */
struct slice conf_route_login(struct slice line);
/* The number, from 1, of an earlier line with the same selector as line `place` (from 0); 0: there
 * is none. */
size_t conf_route_double(const struct conf_list *routes, size_t place);

/* The file of route_passwords: lines "HOST USER PASSWORD", empty ones, and comments ("#"). */
struct conf_login {
  struct slice host, user, password;
};
/* The login for a route: the line with its host and the user that it names; if it names none, the
 * line with its host whose login no route names. False: it names one that the file does not have.
 * *ret: an empty host means without login. */
bool conf_login_for(const struct conf *c, struct slice file, struct slice host, struct slice user,
                    struct conf_login *ret);
/* False: a line is malformed or a duplicate, its host is not in `routes`, it is ambiguous which
 * route uses it, or a route names a login that is missing: one sentence for each in `err`. */
bool conf_check_logins(const struct conf *c, struct slice file, struct buf *err);

/* The edit distance: how many letters one word has to change, lose or gain to become the other;
 * UINT32_MAX for words above 48 octets. */
unsigned conf_distance(struct slice a, struct slice b);

/* Seconds out of "90", "15m", "6h", "14d". False (and *ret untouched) for anything else. */
bool conf_parse_time(struct slice text, uint64_t *ret);

#endif
