/* SPDX-License-Identifier: ISC */
/* Every command of `qasid`, once. Usage, help, docs/man/qasid.1 and the parsing come from here, and
 * from commands_client.c, which has the options of the commands that are clients of other servers.
 *
 *  1. No two commands have the same words.
 *  2. A list of options ends with a row without a name, and contains no common option
 *     (cmd_common_options). */
#include "src/cli/command_line.h"

#include "src/cli/admin/commands.h"
#include "src/cli/client/commands.h"
#include "src/cli/migrate/commands.h"
#include "src/cli/salvage/commands.h"

static const struct cmd_option dkim_list_options[] = {
  { "records", NULL,
    "Print the lines for a zone file instead, the TXT in strings of 255 octets at most." },
  { NULL, NULL, NULL },
};
static const struct cmd_option dkim_rotate_options[] = {
  { "confirmed", NULL, "Do not check DNS: every name server is known to have the records." },
  { NULL, NULL, NULL },
};
static const struct cmd_option dkim_retire_options[] = {
  { "force", NULL, "Do so even if mail that they signed may still be under way." },
  { NULL, NULL, NULL },
};
static const struct cmd_option init_options[] = {
  { "dir", "FOLDER",
    "Everything in this one folder: configuration, certificate, mail, control socket." },
  { "hostname", "NAME", "The server's name. Else mail. and the address's domain." },
  { "ports", "high|standard|FIRST",
    "high: 2525, 2587, 2465, 2110, 2995, for users other than root; standard: 25, 587, 465, 110, "
    "995; a "
    "number: "
    "that port and the four after it. Else high unless root." },
  { "address", "IP", "Listen on this address alone, such as 127.0.0.1." },
  { "legacy-auth", NULL, "As in account add." },
  { "password-stdin", NULL,
    "The first account's password is the first line of standard input; none is made." },
  { NULL, NULL, NULL },
};
static const struct cmd_option serve_options[] = {
  { "offline", NULL, "No listeners: only for a command line that needs the processes." },
  { NULL, NULL, NULL },
};
static const struct cmd_option add_options[] = {
  { "password-stdin", NULL, "The password is the first line of standard input." },
  { "hash-stdin", NULL,
    "The first line of standard input is a password hash from another server's database: yescrypt, "
    "bcrypt, SHA-512-crypt, SHA-256-crypt, MD5-crypt, with Dovecot's {SCHEME} or without." },
  { "legacy-auth", NULL,
    "Keep the password recoverable (encrypted), which APOP and CRAM-MD5 need. SCRAM works too "
    "then." },
  { "scram", NULL,
    "Keep verifiers for SCRAM (not the password). The default is the option scram." },
  { "no-scram", NULL, "Keep no verifiers, whatever the option says." },
  { "quota", "SIZE", "The largest size of the mailbox, such as 2G; 0 means no limit." },
  { NULL, NULL, NULL },
};
static const struct cmd_option passwd_options[] = {
  { "from", "FILE",
    "Change the passwords of all accounts in a CSV file with the columns address and password (or "
    "the word generate) or "
    "hash, as in account import: all or none." },
  { "password-stdin", NULL, "The password is the first line of standard input." },
  { "legacy-auth", NULL,
    "Keep it recoverable (encrypted) from now on, which APOP and CRAM-MD5 need." },
  { "no-legacy-auth", NULL, "From now on keep no recoverable password." },
  { "scram", NULL, "Keep SCRAM's verifiers from now on (not the password)." },
  { "no-scram", NULL, "From now on keep none, whatever the option scram says." },
  { NULL, NULL, NULL },
};
static const struct cmd_option account_import_options[] = {
  { "dry-run", NULL, "Only say what is wrong; change nothing." },
  { NULL, NULL, NULL },
};
static const struct cmd_option rename_options[] = {
  { "alias", NULL,
    "Keep the old address as an alias of the new one, so that it still receives mail." },
  { NULL, NULL, NULL },
};
static const struct cmd_option collect_options[] = {
  { "password-stdin", NULL,
    "The password at that server is the first line of standard input; otherwise it is asked for." },
  { "every", "TIME", "How often, from 1m to 7d; the default is 15m." },
  { "keep", NULL, "Leave the mail at the other server: the default." },
  { "delete", NULL, "Delete a message there once it is safe here." },
  { "delete-after", "TIME", "Delete it there this long after it was fetched, such as 14d." },
  { "auth", "MECHANISM", "Log in with this mechanism; the default is the best that is offered." },
  { "discover", NULL,
    "HOST is a mail domain: its SRV records say where its POP3 server is (RFC 6186)." },
  { "no-tls", NULL,
    "With pop3://: without TLS. The password is then never sent in the clear: only APOP, SCRAM and "
    "CRAM-MD5 are used." },
  { NULL, NULL, NULL },
};
static const struct cmd_option collect_password_options[] = {
  { "password-stdin", NULL,
    "The password is the first line of standard input; else it is asked for." },
  { NULL, NULL, NULL },
};
static const struct cmd_option delete_options[] = {
  { "from", "FILE",
    "Delete every account that is named in FILE, one address a line (or a CSV file with that "
    "column). If an address is not an account, it is named and nothing is deleted." },
  { "yes", NULL, "Do not ask." },
  { NULL, NULL, NULL },
};
static const struct cmd_option queue_options[] = {
  { "account", "ADDRESS", "Only what that account submitted." },
  { NULL, NULL, NULL },
};
static const struct cmd_option forward_options[] = {
  { "keep", NULL, "Keep it in the account's mailbox too." },
  { NULL, NULL, NULL },
};
static const struct cmd_option undelete_options[] = {
  { "all", NULL, "All that are kept." },
  { "since", "TIME", "Those that were deleted in the last TIME, such as 2d or 3h." },
  { NULL, NULL, NULL },
};
static const struct cmd_option export_options[] = {
  { "format", "maildir|mbox", "Else mbox when the name ends in .mbox or is -, Maildir otherwise." },
  { "uidl", "FILE",
    "Also write the UIDLs, a line \"UIDL<TAB>NAME\" for each message, as import reads them." },
  { NULL, NULL, NULL },
};
static const struct cmd_option import_options[] = {
  { "uidl", "FILE",
    "UIDLs to keep, so that no client downloads its mail again: lines \"UIDL<TAB>NAME\" (a "
    "Maildir's "
    "file, a message's number in an mbox: what `qasid export --uidl` writes), or, for an mbox, "
    "lines with a UIDL "
    "alone, in the messages' order." },
  { "uidl-from", "WHAT",
    "dovecot (dovecot-uidlist), courier (courierpop3dsizelist), cyrus (cyrus.index; cyrus-uidonly, "
    "cyrus-dovecot or "
    "cyrus-courier when its uidl_format says so), name (a Maildir's file names, as qmail shows "
    "them), x-uidl (a "
    "header field, as qpopper keeps it). Else what the folder has." },
  { "mbox-form", "FORM",
    "Which lines of an mbox's bodies are quoted: rd (those of \">\"s and \"From \"; this is what "
    "is assumed), o or cl "
    "(\"From \" alone), cl2 (none). With cl and cl2 Content-Length says where a message ends; else "
    "it does when "
    "every message of the file has a right one." },
  { "again", NULL,
    "Add everything, also what is in the mailbox already or was deleted by its owner; what then "
    "has a UIDL that "
    "was seen already gets another." },
  { NULL, NULL, NULL },
};
static const struct cmd_option restore_options[] = {
  { "to", "FOLDER",
    "Into this folder rather than the configuration's data_dir. It must be empty or not exist." },
  { NULL, NULL, NULL },
};
static const struct cmd_option status_options[] = {
  { "check", NULL,
    "Act as a plugin for Nagios and compatible systems: one line, and 0 (OK), 1 (WARNING) or 2 "
    "(CRITICAL). Critical: the server does not answer, all processes of a kind are away, the disk "
    "is full, a certificate ends within 7 days or has ended. A warning: one process is away, less "
    "than three times store_free_space is free, a certificate ends within 21 days, a mailbox is "
    "filled to 90 % of its quota, mail is due for an hour." },
  { "ignore", "WHAT",
    "With --check: leave out processes, certificates, disk, mailboxes, queue or sending; may be "
    "repeated.",
    .often = true },
  { NULL, NULL, NULL },
};
static const struct cmd_option trace_options[] = {
  { "for", "TIME", "Stop after this time, such as 10m, instead of at ^C." },
  { NULL, NULL, NULL },
};
static const struct cmd_option lookup_options[] = {
  { "direct", NULL, "Ask from here, even when a server runs." },
  { NULL, NULL, NULL },
};
static const struct cmd_option plan_options[] = {
  { "from", "ADDRESS", "The envelope's sender. The default is the account's address, or else <>." },
  { "account", "ADDRESS", "The account that submits the message. The default is no login." },
  { "probe", NULL,
    "Connect to the servers, in their order, and ask them: EHLO, STARTTLS, MAIL, RCPT, never "
    "DATA." },
  { NULL, NULL, NULL },
};

const struct cmd cli_commands[] = {
  { "init", "ADDRESS", 1, 1, cmd_init, init_options, "make a working server for an address",
    "Writes a configuration, the data folder, a self-signed certificate, the address's domain, and "
    "the address as the first account, with a generated password that is shown once. Then says "
    "what to put into DNS. Nothing that exists is overwritten.",
    .no_json = true },
  { "serve", "", 0, 0, cmd_serve, serve_options, "run the server, in the foreground",
    "Logs to standard error. SIGTERM and SIGINT stop it once everything acknowledged is finished; "
    "SIGHUP reloads the configuration. Notifies systemd when it is ready.",
    .no_json = true },
  { "check-config", "", 0, 0, cmd_check_config, NULL, "check the configuration",
    "Prints one line for each mistake: file:line: option: what is wrong and what was probably "
    "meant. The certificates, keys and folders that it names are checked too. A certificate that "
    "has expired or will within 21 days, or one that is not for the server's name, and a user that "
    "is not there are warnings: the server can start, so the command ends with 0." },
  { "config", "[show|sample|manual|log-manual|system-calls|OPTION]", 0, 1, cmd_config, NULL,
    "show the configuration, explain its options",
    "show prints every option with its value in effect; sample a file with all defaults; manual "
    "the "
    "source of qasid.conf(5), log-manual that of qasid-log(5); system-calls how many each process "
    "may make (SECURITY.md); the name of an "
    "option explains it.",
    .no_json = true },
  { "account add", "ADDRESS", 1, 1, cmd_account_add, add_options, "make an account",
    "The address is its name at login too. Its domain must be one of ours (`qasid domain add`). "
    "The "
    "password is asked for, twice, without echo.",
    .no_json = true },
  { "account import", "FILE", 1, 1, cmd_account_import, account_import_options,
    "create many accounts from a CSV file",
    "The first line names the columns: address, then password or hash (as in account add "
    "--hash-stdin), quota (such as 2G; none), "
    "aliases (addresses that lead to it, with blanks between). The word generate as a password "
    "makes one; what was made is printed "
    "as address,password. - is standard input. All accounts are made or none: what is wrong is "
    "named with its line, and "
    "the command then ends with 65. SCRAM's verifiers are made at each account's first login with "
    "the password." },
  { "account list", "[DOMAIN]", 0, 1, cmd_account_list, NULL, "list the accounts", NULL },
  { "account passwd", "[ADDRESS]", 0, 1, cmd_account_passwd, passwd_options,
    "change an account's password",
    "A recoverable password, where one is kept, changes with it; with --from none is kept. --json "
    "shapes what --from reports." },
  { "account rename", "OLD NEW", 2, 2, cmd_account_rename, rename_options,
    "give an account another address",
    "Its mail, UIDLs, limits, password, certificates and collections stay, and aliases lead to the "
    "new address. From then on it logs in with the new address." },
  { "account enable", "ADDRESS", 1, 1, cmd_account_enable, NULL, "allow an account to log in again",
    NULL, .no_json = true },
  { "account disable", "ADDRESS", 1, 1, cmd_account_enable, NULL, "stop an account from logging in",
    "It still receives mail.", .no_json = true },
  { "account set", "ADDRESS LIMIT VALUE|none|never|default", 3, 3, cmd_process, NULL,
    "give an account a limit of its own",
    "LIMIT is quota (the most octets of its mailbox, such as 2G, or none), login-delay (the least "
    "time "
    "between two logins to POP3, such as 60 or 5m, or none), expire (how many days a message "
    "stays, or "
    "never), or what it sends to other servers: messages-per-hour, recipients-per-hour, "
    "messages-per-day, recipients-per-day "
    "or new-recipients-per-day (a number, or none). default is what the options quota, "
    "login_delay, pop3_expire and "
    "account_… say." },
  { "account sendas add", "ADDRESS AS", 2, 2, cmd_process, NULL,
    "let an account send as somebody else",
    "AS is an address, here or elsewhere; @DOMAIN for any address of that domain; or <> for mail "
    "without a sender. An account may always use its own address, its aliases and its subaddresses "
    "(see the option sender_check).",
    .no_json = true },
  { "account sendas list", "[ADDRESS]", 0, 1, cmd_process, NULL,
    "list the addresses that accounts may send as", NULL },
  { "account sendas delete", "ADDRESS AS", 2, 2, cmd_process, NULL, "revoke that permission", NULL,
    .no_json = true },
  { "account limits", "ADDRESS", 1, 1, cmd_process, NULL, "show an account's own limits", NULL },
  { "account forward", "ADDRESS [TARGET …|none]", 1, 64, cmd_account_forward, forward_options,
    "forward an account's mail",
    "To other accounts, aliases, or addresses elsewhere; the targets given replace all earlier "
    "ones; none ends forwarding. Without a target the present ones are shown. The reverse-path of "
    "what leaves is rewritten to one of ours (SRS), so that bounces find their way back to the "
    "sender." },
  { "account quota", "ADDRESS SIZE|none|default", 2, 2, cmd_process, NULL,
    "set the size limit of an account's mailbox",
    "A size such as 2G; the same as account set ADDRESS quota SIZE." },
  { "account certificate add", "ADDRESS FILE|FINGERPRINT", 2, 2, cmd_account_certificate, NULL,
    "let an account log in with a certificate",
    "A client that presents it in the TLS handshake logs in without a password (EXTERNAL) if the "
    "option client_certificates is on. FILE has the certificate in PEM; it may be self-signed. "
    "FINGERPRINT is its SHA-256.",
    .no_json = true },
  { "account certificate list", "[ADDRESS]", 0, 1, cmd_account_certificate, NULL,
    "list certificates of accounts", NULL },
  { "account certificate delete", "ADDRESS FILE|FINGERPRINT", 2, 2, cmd_account_certificate, NULL,
    "revoke a certificate", NULL, .no_json = true },
  { "account delete", "[ADDRESS]", 0, 1, cmd_account_delete, delete_options,
    "delete an account with its mail",
    "Prints the aliases that led to it: those that lost this target and keep others, and those "
    "deleted because it was their last." },
  { "account collect add", "ADDRESS URL", 2, 2, cmd_collect_add, collect_options,
    "fetch mail from another server into an account",
    "URL is pop3s://USER@HOST[:PORT], or pop3://USER@HOST[:PORT], which requires STLS. The "
    "certificate is always verified. Each message is fetched exactly once, even if a process or "
    "the machine dies in between, and is deleted there only once it is safe here." },
  { "account collect list", "[ADDRESS]", 0, 1, cmd_collect, NULL,
    "list collections and the result of their last run", NULL },
  { "account collect run", "ID", 1, 1, cmd_collect, NULL, "fetch now", NULL, .no_json = true },
  { "account collect pause", "ID", 1, 1, cmd_collect, NULL, "suspend a collection", NULL,
    .no_json = true },
  { "account collect resume", "ID", 1, 1, cmd_collect, NULL, "resume a collection, with a run now",
    "A collection whose password was refused is paused by the server itself.", .no_json = true },
  { "account collect password", "ID", 1, 1, cmd_collect_password, collect_password_options,
    "give a collection another password, and resume it", NULL, .no_json = true },
  { "account collect leave-out", "ID UIDL", 2, 2, cmd_collect, NULL,
    "skip one message at the other server",
    "For a message that stops each run: it is named in the column stepped-over of account collect "
    "list.",
    .no_json = true },
  { "account collect take-in", "ID UIDL", 2, 2, cmd_collect, NULL,
    "fetch a skipped message after all", NULL, .no_json = true },
  { "account collect delete", "ID", 1, 1, cmd_collect, NULL, "delete a collection",
    "Mail already fetched stays. If the collection is added again, everything still at the other "
    "server is fetched a second time.",
    .no_json = true },
  { "domain add", "DOMAIN", 1, 1, cmd_domain_add, NULL, "receive mail for a domain",
    "Makes the keys that its mail is signed with (DKIM), and prints their records for DNS." },
  { "domain list", "", 0, 0, cmd_process, NULL, "list the domains", NULL },
  { "domain delete", "DOMAIN", 1, 1, cmd_domain_delete, NULL, "no longer receive mail for a domain",
    "Its accounts and aliases must be deleted first. Its DKIM keys go with it.", .no_json = true },
  { "domain check", "[DOMAIN]", 0, 1, cmd_domain_check, NULL,
    "compare DNS with what should be published",
    "Looks at the host's A, AAAA and PTR, and at each domain's MX, SPF, DKIM, DMARC and SRV (RFC "
    "6186) records. Ends with 0 when all is "
    "right, with 65 when something is to be published, with 75 when DNS did not answer or an SPF "
    "record is beyond what is "
    "understood here." },
  { "dkim list", "[DOMAIN]", 0, 1, cmd_dkim_list, dkim_list_options,
    "list the keys that mail is signed with",
    "Keys in the state current sign; those in the state next must be published before they sign; "
    "old ones no longer sign, but their records must stay in DNS until the mail that they signed "
    "has been verified. The private parts never leave the server." },
  { "dkim rotate", "DOMAIN", 1, 1, cmd_dkim_rotate, dkim_rotate_options,
    "replace a domain's keys, in two steps",
    "The first run creates the next keys and prints their records. The second checks that DNS has "
    "these records and then lets the new keys sign; the old ones stay listed until dkim retire. "
    "Exits with 75 while the second step is still to come. A domain without keys gets its first. "
    "With --json the keys after the step are printed, as by dkim list." },
  { "dkim retire", "DOMAIN", 1, 1, cmd_dkim_retire, dkim_retire_options,
    "forget a domain's old keys",
    "Refused for a week after they were replaced, since mail that they signed may still be under "
    "way. Afterwards their records can be removed from DNS.",
    .no_json = true },
  { "alias add", "ADDRESS TARGET …", 2, 64, cmd_process, NULL, "create an alias",
    "Targets are accounts or aliases of this server, or addresses elsewhere. ADDRESS can be "
    "@DOMAIN: a catch-all for addresses of the domain that do not exist. A message goes to every "
    "target that has room. While one is full, the sender's server is told to send it again (452 "
    "4.2.2); then only those get it who lack it." },
  { "alias list", "[DOMAIN]", 0, 1, cmd_process, NULL, "list the aliases", NULL },
  { "alias delete", "ADDRESS", 1, 1, cmd_process, NULL, "delete an alias",
    "Prints the aliases that led to it: those that lost this target, and those deleted because it "
    "was their last." },
  { "mail list", "ADDRESS", 1, 1, cmd_process, NULL, "list the messages of an account",
    "With their UIDs, sizes and UIDLs, and where each lies." },
  { "mail show", "ADDRESS UID", 2, 2, cmd_mail_show, NULL, "print a message as it is stored",
    "All of it, on standard output, lines ending in CR LF.", .no_json = true },
  { "mail delete", "ADDRESS UID …", 2, 250, cmd_process, NULL, "delete messages of an account",
    "As the account's owner would by POP3: with the option undelete_time they can be restored. "
    "Refused while the maildrop is open.",
    .no_json = true },
  { "mail deleted", "ADDRESS", 1, 1, cmd_process, NULL,
    "list deleted messages that can be restored",
    "They are kept for the time in the option undelete_time, and count neither as mail nor towards "
    "the quota nor in an export." },
  { "mail undelete", "ADDRESS [UID …]", 1, 250, cmd_mail_undelete, undelete_options,
    "restore deleted messages",
    "They keep their UIDLs, so that no client downloads them again, and get new uids. An open POP3 "
    "session sees them at its next login. Every few hundred are one transaction; an interrupted "
    "command can be repeated." },
  { "classify", "[CODE TEXT …]", 0, 64, cmd_classify, NULL,
    "show how a reply of another server is classified",
    "CODE is the reply's, such as 550; an enhanced code may stand at the beginning of TEXT. The "
    "class decides when mail is tried again (first and most, in seconds); a reply that begins with "
    "5 stays final whatever its class. The option reply_classes changes the table. Without "
    "arguments every class is shown." },
  { "queue list", "[SELECTOR …]", 0, 20, cmd_queue, queue_options,
    "list the mail that is waiting to be sent",
    "One line for each recipient: when it is tried next (in seconds), and the one reason why it "
    "waits: held, account-limit, to-be-failed, sending, "
    "waiting-for-dns, connecting, in-session, host-dead, back-off, no-sender, destination-limit, "
    "sender-full or due; with the class and the words of the last attempt. Selectors, each at most "
    "once, all of which must fit: the id of a message, an address (of the recipient or the "
    "sender), to=ADDRESS "
    "or to=DOMAIN, from=ADDRESS or "
    "from=DOMAIN, account=ADDRESS (who submitted it), state=held or state=waiting, reason=REASON "
    "or reason=CLASS (qasid classify), "
    "older=TIME (4h, 2d), newer=TIME. from=DOMAIN alone and reasons other than held "
    "and those of mail that the sender has look at the whole queue." },
  { "why", "ID|MESSAGE-ID|ADDRESS|REPLY", 1, 64, cmd_process, NULL,
    "trace what became of a message",
    "From the session in which it came (its peer, TLS and login) to the mailbox in which it lies, "
    "and whether POP3 has read or deleted it; for recipients elsewhere each attempt with the other "
    "server's words, and why it still waits. ID is the message's, as in the log and in our reply "
    "to its end (the whole reply may be given); for an address the newest 20 messages from and to "
    "it, and who was refused with it. The options queue_history and history_size say how far back "
    "this goes." },
  { "plan", "ADDRESS", 1, 1, cmd_plan, plan_options,
    "show what would be done with a message to an address",
    "Nothing is sent. Prints where the address leads (account, alias, forward, catch-all), and for "
    "addresses elsewhere: the reverse-path, what of the queue would hold it up, the route, what "
    "DNS answers, each server and address in the order in which it is tried (drawn anew each time "
    "within one preference), which are left out and why, and what TLS there will be. With --probe "
    "also what the first server says that can be spoken to, up to the reply to RCPT; this machine "
    "connects as this command's user, and a route's login is left out. Ends with 67 for an address "
    "of ours that does not exist, and with 75 when no sender runs." },
  { "queue show", "ID", 1, 1, cmd_queue_show, NULL,
    "show everything about one message in the queue",
    "Its envelope, each recipient with the reason why it waits, and every attempt: when, which "
    "host and address, over which TLS, at "
    "which stage, in which words, and when it is tried next. Then the servers of its recipients "
    "whose TLS failed: why, and in how "
    "many seconds TLS is tried there again; until then mail goes to them in the clear." },
  { "queue body", "ID", 1, 1, cmd_queue_body, NULL, "print a message in the queue",
    "As it would be sent." },
  { "queue history", "ID|ADDRESS", 1, 1, cmd_process, NULL,
    "list every attempt to send a message or to reach an address",
    "With the other server, the stage at which it was decided, and its words; the newest first, "
    "1,000 at most. The option queue_history says how long it is kept." },
  { "queue hold", "SELECTOR …", 0, 20, cmd_queue, queue_options,
    "keep mail in the queue without sending it",
    "Selectors are those of queue list. Held mail still expires. Mail that is being sent right now "
    "is held only if this attempt neither delivers it nor ends in a permanent refusal: the answer "
    "counts it separately.",
    .no_json = true },
  { "queue release", "SELECTOR …", 0, 20, cmd_queue, queue_options, "send held mail again",
    "Selectors are those of queue list. With an account, that account's limits start from zero "
    "again.",
    .no_json = true },
  { "queue retry", "SELECTOR …", 0, 20, cmd_queue, queue_options, "try waiting mail now",
    "Selectors are those of queue list. Held mail stays held, and is counted: queue release "
    "releases it. Exits with 67 if no matching mail is waiting.",
    .no_json = true },
  { "queue fail", "SELECTOR …", 0, 20, cmd_queue, queue_options,
    "give up mail and notify its sender",
    "Selectors are those of queue list. Its sender gets a report as for any mail that could not be "
    "delivered. Mail that is being sent right now is given up after this attempt, unless that "
    "delivers it: the answer counts it separately, and queue list shows it as to-be-failed.",
    .no_json = true },
  { "queue drop", "SELECTOR …", 0, 20, cmd_queue, queue_options,
    "remove mail from the queue without a report",
    "Selectors are those of queue list. Nobody is notified; the history records that it was "
    "dropped. Mail that is being sent right now leaves the queue too, but may still be delivered: "
    "the answer counts it separately.",
    .no_json = true },
  { "status", "", 0, 0, cmd_status, status_options, "show whether the server runs, and how well",
    "The server's own line, its processes, the certificates in use and when they end, mailboxes "
    "filled to 90 % of their quota, "
    "how much waits to be sent, since when and when it was or is due, what is held (whose, why, "
    "since "
    "when, and the selectors with which queue list shows and queue release sends it), and the "
    "counters of each process: the store's say how much of the "
    "disk is free, and "
    "with disk-full 1 that no mail is taken." },
  { "ps", "", 0, 0, cmd_ps, NULL, "list the open sessions",
    "With the user who is logged in. \"locked\" means that the session holds its user's maildrop: "
    "another login waits for it or is refused." },
  { "trace", "ADDRESS|SESSION", 1, 1, cmd_trace, trace_options,
    "show the conversation of one client with the server as it happens",
    "The IP address of a client, or the name of a session as in the log. Shown are the time (UTC), "
    "the session, who says it (C, S, * "
    "for a remark of the server: where it came to, TLS, states, logins, why it ended) and what; "
    "the mechanism of a login by its name. Passwords, challenges, "
    "responses and message bodies are left out. Until ^C." },
  { "reload", "", 0, 0, cmd_reload, NULL, "read the configuration and certificates again",
    "Open sessions stay. Prints what has changed and what has not, once every process has adopted "
    "it. When the configuration, a certificate or a key has a mistake, the old ones stay and the "
    "command ends with 78. The file of log_to is opened anew in any case.",
    .no_json = true },
  { "stop", "", 0, 0, cmd_parent, NULL, "stop the server",
    "Everything acknowledged is finished first.", .no_json = true },
  { "export", "ADDRESS PLACE", 2, 2, cmd_export, export_options,
    "write an account's mail as Maildir or mbox",
    "A Maildir is made when missing, and its tmp is used so that no half message is ever in it. An "
    "mbox "
    "must not exist yet; - is standard output. A message that cannot be read is named and left "
    "out; the command "
    "then ends with 65.",
    .no_json = true },
  { "import", "ADDRESS SOURCE", 2, 2, cmd_import, import_options,
    "add the mail of a Maildir or an mbox to an account",
    "A folder is read as Maildir, or as a Cyrus mailbox when it has a cyrus.index; a file as mbox. "
    "Can be run again: "
    "a message of which every octet is in the mailbox already is not added twice, unless another "
    "has come with that "
    "UIDL. Of messages with the same UIDL the first keeps it. What is not taken over (a link, a "
    "folder, a file "
    "of somebody else among the messages; what its owner deleted here, known by its UIDL alone) is "
    "named, and the command "
    "then ends with "
    "65. Links that somebody else made are followed nowhere: a user's Maildir can be imported by "
    "root." },
  { "backup", "FILE", 1, 1, cmd_backup, NULL,
    "copy all mail and accounts into one file, while serving",
    "A tar archive of the data folder as it was at one moment. - is standard output. The file must "
    "not "
    "exist yet.",
    .no_json = true },
  { "restore", "FILE", 1, 1, cmd_restore, restore_options, "make a data folder from a backup",
    "The server must be stopped.", .no_json = true },
  { "salvage", "FILE|FOLDER PLACE", 2, 2, cmd_salvage, NULL, "read what is left of a damaged store",
    "FOLDER is a data folder (or its store), FILE a database; the server must be stopped. Every "
    "message that can "
    "still be read goes into a Maildir PLACE/ADDRESS, its UIDL into PLACE/ADDRESS.uidls, so that "
    "`qasid import ADDRESS PLACE/ADDRESS --uidl PLACE/ADDRESS.uidls` brings it back as it was; "
    "messages of which "
    "nothing says whose they are go to PLACE/unknown. Logins are another database's (auth). "
    "Nothing is changed in what is read. Ends with 65 when "
    "something cannot be read, and names it." },
  { "compact", "", 0, 0, cmd_compact, NULL, "shrink the databases to what they hold",
    "For a store that an earlier version made: one made now gives free space back by itself. The "
    "store starts again and copies its databases first; until it is done, a minute for some "
    "gigabytes and 15 at most, mail that comes in is answered \"try later\" and nobody reads any. "
    "The copy needs as much space on the disk as is in use, which is looked at before. Killed at "
    "any moment, the old database is there, or the new one.",
    .no_json = true },
  { "check", "", 0, 0, cmd_process, NULL, "look at every page, count and message of the store",
    "Ends with 65 when something is damaged." },
  { "migrate pop3", "", 0, 0, cmd_migrate, cmd_migrate_options,
    "move accounts from another POP3 server to this one",
    "Logs in to the old server for each account, fetches what is not here yet, and keeps its "
    "UIDLs, so that no client downloads its mail again. Deletes nothing there. It can be repeated "
    "until the switch: each run fetches what is new, and continues an interrupted one. "
    "docs/migration.md describes the whole procedure." },
  { "fetch", "URL|ADDRESS", 1, 1, cmd_fetch, cmd_fetch_options, "fetch mail by POP3",
    "pop3://USER@HOST[:PORT] with STLS when the server has it, or pop3s://USER@HOST[:PORT]. An @ "
    "in USER "
    "is written as it is or as %40. An ADDRESS alone is enough where its domain says in DNS who "
    "serves its mail (RFC 6186). A message is fetched once: its UIDL is remembered when it is "
    "safe, so a fetch that was "
    "broken off goes on where it was. A message at which the session ends (the server does not "
    "stuff its dots, or dies of it) is left, named, and stepped over in another session. Killed in "
    "the middle, it loses nothing; a Maildir and an account have nothing twice, an "
    "mbox or another server may have the last messages twice. A server without UIDL can only be "
    "fetched with --delete or --all." },
  { "send", "URL [FILE]", 1, 2, cmd_send, cmd_send_options, "send a message by SMTP",
    "smtp://[USER@]HOST[:PORT] with STARTTLS when the server has it, or smtps://…; without a port "
    "587 "
    "(465). The message is read from FILE or standard input.",
    .no_json = true },
  { "dns lookup", "NAME [address|srv|mx|txt|ptr]", 1, 2, cmd_dns_lookup, lookup_options,
    "look up a name in DNS as the server does",
    "The resolver of the running server is asked. Where none runs, the question is asked here, "
    "with the name servers, the "
    "trust anchor and the time of the configuration (its defaults where there is none), and "
    "/etc/hosts. Hosts are shown in the order in which they would be tried. A service is asked for "
    "by its whole name, "
    "such as _pop3s._tcp.example.org. ptr takes an address too." },
  { "version", "", 0, 0, cmd_version, NULL, "print the version", NULL, .no_json = true },
  { "help", "[COMMAND …]", 0, 3, cmd_help, NULL, "explain a command", NULL, .no_json = true },
  { "help completion", "", 0, 0, cmd_help, NULL, "print a completion for bash", NULL,
    .no_json = true },
  { "help manual", "", 0, 0, cmd_help, NULL, "print the source of qasid(1)", NULL,
    .no_json = true },
};
const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;

const struct cli_exit_row cli_exits[] = {
  { CLI_EXIT_OK, "done" },
  { CLI_EXIT_USAGE, "the command line is wrong" },
  { CLI_EXIT_DATA, "what was read is damaged, or no mail; check found damage, domain check what is "
                   "to be published" },
  { CLI_EXIT_NO_INPUT, "a file cannot be read" },
  { CLI_EXIT_NOT_FOUND, "there is no such account, domain, alias, session, name" },
  { CLI_EXIT_UNAVAILABLE, "no server answers" },
  { CLI_EXIT_SOFTWARE, "a mistake in Qasid" },
  { CLI_EXIT_SYSTEM, "no memory, no process" },
  { CLI_EXIT_EXISTS, "it exists already" },
  { CLI_EXIT_IO, "reading or writing failed" },
  { CLI_EXIT_TEMPORARY, "try later" },
  { CLI_EXIT_PROTOCOL, "the other side said something impossible" },
  { CLI_EXIT_REFUSED, "permission was denied, a password or certificate was not accepted" },
  { CLI_EXIT_CONFIG, "the configuration is wrong" },
};
const size_t cli_exit_count = sizeof cli_exits / sizeof *cli_exits;
