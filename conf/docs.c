/* SPDX-License-Identifier: ISC */
/* Help text, sample file and manual page of the configuration, from options.def. */
#include "conf/docs.h"

#include "conf/internal.h"

enum { PROSE_WIDTH = 96 };

static const struct section {
  const char *name, *title;
} sections[] = {
  { "general", "General" },     { "listen", "Where it listens" },        { "tls", "TLS" },
  { "smtp", "Mail coming in" }, { "pop3", "Mail fetched by its owner" }, { "auth", "Accounts" },
  { "store", "The store" },
};

static const char *section_title(const char *name) {
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
    if (strcmp(sections[i].name, name) == 0) return sections[i].title;
  return name;
}

/* A default as it stands in a file: texts in quotes. */
static void put_default(struct buf *out, const struct conf_option *o) {
  const char *quote = o->kind == CONF_KIND_TEXT ? "\"" : "";
  buf_printf(out, "%s%s%s", quote, o->def, quote);
}

static void put_range(struct buf *out, const struct conf_option *o) {
  void (*put)(struct buf *, uint64_t) = o->kind == CONF_KIND_SIZE   ? conf_put_size
                                        : o->kind == CONF_KIND_TIME ? conf_put_time
                                                                    : buf_put_dec;
  put(out, o->least);
  buf_put_str(out, " to ");
  put(out, o->most);
}

/* What kind of value it takes, in words. */
static void put_kind(struct buf *out, const struct conf_option *o) {
  static const char *const kinds[] = {
    [CONF_KIND_NUM] = "a number, ",         [CONF_KIND_SIZE] = "a size, ",
    [CONF_KIND_TIME] = "a time, ",          [CONF_KIND_DAYS] = "a number of days or never, ",
    [CONF_KIND_FLAG] = "yes or no",         [CONF_KIND_TEXT] = "a string",
    [CONF_KIND_LIST] = "a list of strings", [CONF_KIND_WORD] = "one of ",
  };
  buf_put_str(out, kinds[o->kind]);
  if (o->kind == CONF_KIND_NUM || o->kind == CONF_KIND_SIZE || o->kind == CONF_KIND_TIME ||
      o->kind == CONF_KIND_DAYS)
    put_range(out, o);
  if (o->kind != CONF_KIND_WORD) return;
  for (const char *p = o->words; *p; p++)
    if (*p == '|')
      buf_put_str(out, ", ");
    else
      buf_put_u8(out, (uint8_t)*p);
}

/* `text` in lines of at most PROSE_WIDTH octets, each preceded by `indent`. */
static void put_wrapped(struct buf *out, const char *indent, struct slice text) {
  size_t column = 0;
  while (text.p) {
    struct slice word = slice_split(&text, ' ');
    if (column && column + 1 + word.n > PROSE_WIDTH) {
      buf_put_u8(out, '\n');
      column = 0;
    }
    buf_put_str(out, column ? " " : indent);
    buf_put(out, word);
    column += word.n + (column ? 1 : 0);
  }
  buf_put_u8(out, '\n');
}

static bool begins_section(size_t i) {
  return i == 0 || strcmp(conf_options[i].section, conf_options[i - 1].section) != 0;
}

static void put_help(struct buf *out, const struct conf_option *o) {
  buf_printf(out, "  %s = ", o->name);
  put_default(out, o);
  buf_put_str(out, "\n");
  put_wrapped(out, "      ", slice_str(o->prose));
  buf_put_str(out, "      (");
  put_kind(out, o);
  buf_put_str(out, o->reloads ? "; takes effect on reload)\n" : "; needs a restart)\n");
}

bool conf_help(struct buf *out, const char *name) {
  bool found = false;
  for (size_t i = 0; i < conf_option_count; i++) {
    if (name && strcmp(name, conf_options[i].name) != 0) continue;
    if (!name && begins_section(i))
      buf_printf(out, "%s%s\n", i ? "\n" : "", section_title(conf_options[i].section));
    put_help(out, &conf_options[i]);
    found = true;
  }
  return found;
}

void conf_sample(struct buf *out) {
  buf_put_str(
      out, "# Qasid's configuration: every option with its default. Made from conf/options.def.\n"
           "# See qasid.conf(5); `qasid check-config` says what is wrong with a file.\n");
  for (size_t i = 0; i < conf_option_count; i++) {
    const struct conf_option *o = &conf_options[i];
    if (begins_section(i)) buf_printf(out, "\n\n# ---- %s ----\n", section_title(o->section));
    buf_put_u8(out, '\n');
    put_wrapped(out, "# ", slice_str(o->prose));
    buf_put_str(out, "# (");
    put_kind(out, o);
    buf_printf(out, "%s)\n#%s = ", o->reloads ? "" : "; needs a restart", o->name);
    put_default(out, o);
    buf_put_u8(out, '\n');
  }
}

/* A sentence for mdoc: a backslash doubled, no line that begins with a control character, one line
 * a sentence. */
static void put_roff(struct buf *out, const char *text) {
  if (*text == '.' || *text == '\'') buf_put_str(out, "\\&");
  for (const char *first = text; *text; text++) {
    if (*text == '\\')
      buf_put_str(out, "\\e");
    else if (text > first && text[0] == ' ' && text[-1] == '.' && text[1] >= 'A' && text[1] <= 'Z')
      buf_put_u8(out, '\n');
    else if ((uint8_t)text[0] == 0xc2 && (uint8_t)text[1] == 0xa7)
      buf_put_str(out, "\\(sc"), text++;
    else if (strncmp(text, "\xe2\x80\xa6", 3) == 0)
      buf_put_str(out, "..."), text += 2;
    else
      buf_put_u8(out, (uint8_t)*text);
  }
  buf_put_u8(out, '\n');
}

static const char manual_head[] =
    ".\\\" Made from conf/options.def by `qasid config --manual`.\n"
    ".Dd November 23, 2026\n"
    ".Dt QASID.CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm qasid.conf\n"
    ".Nd configuration of the Qasid mail server\n"
    ".Sh DESCRIPTION\n"
    "One file, read by\n"
    ".Xr qasid 1 .\n"
    "Each line is\n"
    ".Dl name = value\n"
    "Strings with anything but letters, digits and . _ / stand in double quotes; a list of them in "
    "braces, "
    "with commas between.\n"
    "In double quotes a backslash takes away a character's meaning, and ${NAME} is the environment "
    "variable "
    "of that name.\n"
    "A comment goes from # or // to the end of the line, or from /* to */.\n"
    ".Pp\n"
    "Sizes are octets, or a number with K, M, G or T (times 1024).\n"
    "Times are seconds, or a number with s, m, h or d.\n"
    "Yes and no are written yes and no.\n"
    ".Pp\n"
    "An option that is not in the file has its default.\n"
    "A name that does not exist, a value out of its range, and an option that is set twice are "
    "mistakes:\n"
    ".Ic qasid check-config\n"
    "names all of them with their lines, and a server with a mistake in its file does not start;\n"
    "on\n"
    ".Ic qasid reload\n"
    "the old configuration stays.\n"
    ".Sh OPTIONS\n";

static const char manual_tail[] = ".Sh FILES\n"
                                  ".Bl -tag -width Ds\n"
                                  ".It Pa /etc/qasid/qasid.conf\n"
                                  "The server's configuration.\n"
                                  ".It Pa ~/.config/qasid/qasid.conf\n"
                                  "That of a user who is not root, when it exists.\n"
                                  ".El\n"
                                  ".Sh EXAMPLES\n"
                                  ".Bd -literal -offset indent\n"
                                  "hostname         = \"mail.example.org\"\n"
                                  "data_dir         = \"/var/lib/qasid\"\n"
                                  "tls_certificates = {\"/etc/qasid/mail.example.org.pem\"}\n"
                                  "tls_keys         = {\"/etc/qasid/mail.example.org.key\"}\n"
                                  "message_size_limit = 25M\n"
                                  ".Ed\n"
                                  ".Sh SEE ALSO\n"
                                  ".Xr qasid 1 ,\n"
                                  ".Xr qasid-log 5\n";

static void put_manual_item(struct buf *out, const struct conf_option *o) {
  buf_printf(out, ".It Ic %s No = Ar ", o->name);
  struct buf value;
  buf_init(&value, 1024);
  put_default(&value, o);
  for (size_t i = 0; i < buf_len(&value); i++) {
    int c = slice_at(buf_slice(&value), i);
    if (c == '"')
      buf_put_str(out, "\\(dq");
    else
      buf_put_u8(out, (uint8_t)c);
  }
  buf_free(&value);
  buf_put_u8(out, '\n');
  put_roff(out, o->prose);
  buf_put_u8(out, '(');
  put_kind(out, o);
  buf_put_str(out, o->reloads ? "; takes effect on reload)\n" : "; needs a restart)\n");
}

void conf_manual(struct buf *out) {
  buf_put_str(out, manual_head);
  for (size_t i = 0; i < conf_option_count; i++) {
    if (begins_section(i)) {
      buf_printf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", i ? ".El\n" : "",
                 section_title(conf_options[i].section));
    }
    put_manual_item(out, &conf_options[i]);
  }
  buf_put_str(out, ".El\n");
  buf_put_str(out, manual_tail);
}
