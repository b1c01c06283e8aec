/* SPDX-License-Identifier: ISC */
/* qasid-log(5), from lib/base/log_events.def. */
#include "src/cli/admin/log_manual.h"

#include "lib/base/log.h"
#include "src/cli/base/cli.h"

static const char head[] =
    ".\\\" Made from lib/base/log_events.def by `qasid config log-manual`.\n"
    ".Dd November 28, 2026\n"
    ".Dt QASID-LOG 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm qasid-log\n"
    ".Nd the log of the Qasid mail server\n"
    ".Sh DESCRIPTION\n"
    "One line is one event: words of the form\n"
    ".Ar field Ns = Ns Ar value\n"
    "with a blank between, in this order: time, level, process, event, then the event's own fields "
    "in any order.\n"
    "A value with a blank, a quote, an equals sign or a backslash stands in double quotes, in "
    "which a backslash goes before a quote "
    "or a backslash, and octets that are not printable ASCII are \\eu00xx.\n"
    "So whatever a client sends, it can neither end a line nor begin a field.\n"
    "With\n"
    ".Ic log_format No = json\n"
    "a line is one JSON object with the same names.\n"
    ".Pp\n"
    "A field that does not apply is left out; an event may get further fields in later versions, "
    "and none changes its meaning.\n"
    "Passwords and the text of messages are never logged.\n"
    ".Pp\n"
    "The option\n"
    ".Ic log_to\n"
    "says where lines go.\n"
    "Under systemd\n"
    ".Pq stderr , the default\n"
    "each begins with its priority\n"
    ".Pq \\(dq<3>\\(dq , see Xr sd-daemon 3\n"
    "and has no time, because the journal has one; to syslog, whose lines have a time too, "
    "facility mail is used.\n"
    "A file is opened anew on\n"
    ".Ic qasid reload ,\n"
    "so that logrotate can move it.\n"
    "The option\n"
    ".Ic log_level\n"
    "says which levels are logged: debug, info, warn or error.\n"
    ".Pp\n"
    "All lines about one connection have the same\n"
    ".Cm session ,\n"
    "in SMTP and in POP3, whichever process writes them:\n"
    ".Dl journalctl -u qasid | grep session=6b0b5c8f-8-2\n"
    "It is a part of the Received: field and of the id of each message that came by it.\n"
    ".Sh EVENTS\n"
    ".Bl -tag -width Ds\n";

static const char tail[] =
    ".El\n"
    ".Sh EXAMPLES\n"
    "What became of mail for an address:\n"
    ".Dl journalctl -u qasid | grep \\(aq event=recipient .* to=alice@example.org \\(aq\n"
    ".Pp\n"
    "Everything about one message, from its id in the reply to its sender or in its Received: "
    "field:\n"
    ".Dl journalctl -u qasid | grep id=6b0b5c8f-8-2-1\n"
    ".Pp\n"
    "Who failed to log in, and why:\n"
    ".Dl journalctl -u qasid -g event=login-failed\n"
    ".Sh SEE ALSO\n"
    ".Xr qasid 1 ,\n"
    ".Xr qasid.conf 5\n"
    ".Pp\n"
    "A filter for fail2ban, a configuration for logrotate and one for logwatch are among the "
    "documents of the package, in packaging/.\n";

static void put_fields(struct buf *out, uint64_t fields) {
  bool first = true;
  for (int f = 0; f < LOG_FIELDS; f++) {
    if (!(fields >> f & 1)) continue;
    buf_printf(out, "%s.Cm %s", first ? "" : " ,\n", log_fields[f].word);
    first = false;
  }
  buf_put_str(out, " .\n");
}

void cli_log_manual(struct buf *out) {
  buf_put_str(out, head);
  for (int e = 0; e < LOG_EVENTS; e++) {
    buf_printf(out, ".It Cm %s Pq %s\n", log_events[e].word, log_level_word(log_events[e].level));
    cli_put_roff(out, log_events[e].meaning);
    buf_put_str(out, "Fields:\n");
    put_fields(out, log_events[e].fields);
  }
  buf_put_str(out, ".El\n.Sh FIELDS\n.Bl -tag -width Ds\n");
  static const char *const every[][2] = {
    { "time", "When it happened, in UTC (RFC 3339). Not where the journal or syslog has a time of "
              "its own." },
    { "level", "debug, info, warn or error." },
    { "process", "The process that wrote it, with the number of its life, as in smtpd-8; the "
                 "parent puts it in front, so none can write in another's name." },
    { "event", "What happened: one of those above." },
  };
  for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
    buf_printf(out, ".It Cm %s\n", every[i][0]);
    cli_put_roff(out, every[i][1]);
  }
  for (int f = 0; f < LOG_FIELDS; f++) {
    buf_printf(out, ".It Cm %s\n", log_fields[f].word);
    cli_put_roff(out, log_fields[f].meaning);
  }
  buf_put_str(out, tail);
}
