/* Every command of `qasid`, once. Usage, help, docs/man/qasid.1 and the parsing come from here. */
#include "src/cli/cli.h"

static const struct cmd_option init_options[] = {
  { "dir", "FOLDER", "Everything in this one folder: configuration, certificate, mail, control socket." },
  { "hostname", "NAME", "The server's name. Else mail. and the address's domain." },
  { "ports", "high|standard|FIRST",
    "high: 2525, 2587, 2465, 2110, 2995, for who is not root; standard: 25, 587, 465, 110, 995; a number: "
    "that port and the four after it. Else high unless root." },
  { "address", "IP", "Listen on this address alone, such as 127.0.0.1." },
  { "legacy-auth", NULL, "As in account add." },
  { "password-stdin", NULL,
    "The first account's password is the first line of standard input; none is made." },
  { NULL, NULL, NULL },
};
static const struct cmd_option serve_options[] = {
  { "offline", NULL, "No listeners: only for a command line that needs the rooms." },
  { NULL, NULL, NULL },
};
static const struct cmd_option add_options[] = {
  { "password-stdin", NULL, "The password is the first line of standard input." },
  { "hash-stdin", NULL,
    "That line is a hash out of another server's database instead: yescrypt, bcrypt, SHA-512-crypt, "
    "SHA-256-crypt, MD5-crypt, with Dovecot's {SCHEME} or without." },
  { "legacy-auth", NULL, "Keep the password recoverable (encrypted), which APOP and CRAM-MD5 need. SCRAM works too then." },
  { "scram", NULL, "Keep SCRAM's verifiers (not the password). Else the option scram decides." },
  { "no-scram", NULL, "Keep none, whatever the option says." },
  { "quota", "SIZE", "The most octets the mailbox holds, such as 2G; 0: no limit." },
  { NULL, NULL, NULL },
};
static const struct cmd_option passwd_options[] = {
  { "password-stdin", NULL, "The password is the first line of standard input." },
  { "legacy-auth", NULL, "Keep it recoverable (encrypted) from now on, which APOP and CRAM-MD5 need." },
  { "no-legacy-auth", NULL, "From now on keep no recoverable password." },
  { "scram", NULL, "Keep SCRAM's verifiers from now on (not the password)." },
  { "no-scram", NULL, "From now on keep none, whatever the option scram says." },
  { NULL, NULL, NULL },
};
static const struct cmd_option collect_options[] = {
  { "password-stdin", NULL, "The password there is the first line of standard input; else it is asked for." },
  { "every", "TIME", "How often, from 1m to 7d; else 15m." },
  { "keep", NULL, "Leave the mail at the other server: the default." },
  { "delete", NULL, "Delete a message there once it is safe here." },
  { "delete-after", "TIME", "Delete it there so long after it came here, such as 14d." },
  { "auth", "MECHANISM", "Log in by this one; else by the best that is offered." },
  { "discover", NULL, "HOST is a mail domain: its SRV records say where its POP3 server is (RFC 6186)." },
  { "no-tls", NULL, "With pop3://: without TLS. The password is then never shown: APOP, SCRAM or CRAM-MD5 must do." },
  { NULL, NULL, NULL },
};
static const struct cmd_option collect_password_options[] = {
  { "password-stdin", NULL, "The password is the first line of standard input; else it is asked for." },
  { NULL, NULL, NULL },
};
static const struct cmd_option delete_options[] = {
  { "yes", NULL, "Do not ask." },
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
    "UIDLs to keep, so that no client downloads its mail again: lines \"UIDL<TAB>NAME\" (a Maildir's "
    "file), or lines with a UIDL alone, in the messages' order." },
  { "uidl-from", "WHAT",
    "dovecot (dovecot-uidlist), courier (courierpop3dsizelist), cyrus (cyrus.index; cyrus-uidonly, cyrus-dovecot or "
    "cyrus-courier when its uidl_format says so), name (a Maildir's file names, as qmail shows them), x-uidl (a "
    "header field, as qpopper keeps it). Else what the folder has." },
  { NULL, NULL, NULL },
};
static const struct cmd_option restore_options[] = {
  { "to", "FOLDER",
    "Into this folder rather than the configuration's data_dir. It must be empty or not exist." },
  { NULL, NULL, NULL },
};
static const struct cmd_option lookup_options[] = {
  { "direct", NULL, "Ask from here, even when a server runs." },
  { NULL, NULL, NULL },
};
static const struct cmd_option fetch_options[] = {
  { "password-stdin", NULL, "The password is the first line of standard input; else it is asked for." },
  { "auth", "MECHANISM", "user (USER and PASS), apop, scram-sha-256, scram-sha-1 (each also with -plus), plain, login or cram-md5; oauthbearer or xoauth2, with an access token as the password; external, with a --client-cert. Else the best one offered, and when an account has no SCRAM, one more." },
  { "starttls", NULL, "Refuse to go on without STLS." },
  { "no-starttls", NULL,
    "Never say STLS. The password then goes in the clear unless the mechanism hides it." },
  { "ca", "FILE", "Trust the certificates in this PEM file and no others." },
  { "insecure", NULL, "Do not verify the certificate: anyone can be the server." },
  { "to", "PLACE",
    "Where mail goes: a Maildir (a folder, made when missing), a file (mbox), - (standard output), "
    "account:ADDRESS (one of this server's, by its store), lmtp://HOST[:PORT]/RECIPIENT or smtp://HOST[:PORT]/RECIPIENT. "
    "Else standard output." },
  { "list", NULL, "List the messages, fetch none." },
  { "server", "HOST", "For an ADDRESS: this host is the right one, although it is outside of the address's domain." },
  { "top", "LINES", "Show the header and so many lines of the body of each message, fetch none." },
  { "keep", NULL, "Leave everything at the server: what happens without --delete and --delete-after." },
  { "delete", NULL, "Delete at the server what was fetched, once it is safe at its destination." },
  { "delete-after", "DAYS", "Delete at the server what was fetched so many days ago." },
  { "delete-short", NULL,
    "Delete also what came shorter than the server had said. Else it stays: the server may not have been able to "
    "read all of it." },
  { "all", NULL, "Fetch what was fetched before too." },
  { "largest", "SIZE", "Leave messages that are larger, such as 20M. Else 4G." },
  { "state", "FILE",
    "Remember in this file what was fetched (its UIDLs), one file for each maildrop and destination. Else one is kept "
    "in $XDG_STATE_HOME/qasid, or ~/.local/state/qasid; none when mail goes to standard output." },
  { "client-cert", "FILE", "Show this certificate (PEM, its chain behind it) to a server that asks for one." },
  { "client-key", "FILE", "Its private key; else it is in the same file." },
  { "quiet", NULL, "Say nothing but what went wrong." },
  { "verbose", NULL, "Show the conversation on standard error; passwords are left out." },
  { NULL, NULL, NULL },
};
static const struct cmd_option migrate_options[] = {
  { "from", "HOST[:PORT]", "The old server; also pop3://HOST, pop3s://HOST. Port 995 is TLS from the first octet, any other STLS." },
  { "accounts", "FILE",
    "A line for each account: ADDRESS, or ADDRESS<TAB>LOGIN, or ADDRESS<TAB>LOGIN<TAB>PASSWORD. LOGIN is the "
    "name there, the address when empty; PASSWORD is all that follows the second tab. # begins a comment. "
    "- is standard input." },
  { "master", "USER", "Log in with a master user, whose password is asked for; the file then needs no passwords." },
  { "master-password-stdin", NULL, "That password is the first line of standard input." },
  { "master-form", "FORM",
    "How the master logs in: %u is the account's login, %m the master's. Else %u*%m, as Dovecot has it. authzid: "
    "by SASL PLAIN for the account." },
  { "create", NULL, "Make the accounts that are missing here, with the password in the file." },
  { "hashes", NULL,
    "What stands for passwords in the file are their hashes, as in account add --hash-stdin. With --master." },
  { "mirror-deletions", NULL,
    "Delete here what came from the old server and is there no more. For every run before the switch; never after it." },
  { "prove", "[=full]",
    "Compare what a client sees here and there: every UIDL; with =full every octet, for which all mail is "
    "fetched again." },
  { "jobs", "N", "So many accounts at a time, 1 to 64. Else 4." },
  { "accept-short", NULL, "Take messages that come shorter than the old server announced." },
  { "auth", "MECHANISM", "As in fetch." },
  { "starttls", NULL, "Refuse to go on without STLS." },
  { "no-starttls", NULL, "Never say STLS. Passwords may then go in the clear." },
  { "ca", "FILE", "Trust the certificates in this PEM file and no others." },
  { "insecure", NULL, "Do not verify the certificate: anyone can be the server." },
  { "verbose", NULL, "Show the conversations on standard error; passwords are left out." },
  { NULL, NULL, NULL },
};
static const struct cmd_option send_options[] = {
  { "from", "ADDRESS", "The envelope's sender. Else the user in the URL." },
  { "to", "ADDRESS", "A recipient; may be given often." },
  { "headers", NULL,
    "Recipients are also those that the message names in To:, Cc: and Bcc: (also -t). The Bcc: lines are not sent." },
  { "subject", "TEXT", "Make a message with this subject; what is read is its text." },
  { "password-stdin", NULL,
    "The password is the first line of standard input, the message follows it; else it is asked for." },
  { "auth", "MECHANISM", "scram-sha-256, scram-sha-1 (each also with -plus), plain, login or cram-md5; oauthbearer or xoauth2, with an access "
    "token as the password; external, with a --client-cert. Else the best one offered." },
  { "client-cert", "FILE", "Show this certificate (PEM, its chain behind it) to a server that asks for one." },
  { "client-key", "FILE", "Its private key; else it is in the same file." },
  { "starttls", NULL, "Refuse to go on without STARTTLS." },
  { "no-starttls", NULL, "Never say STARTTLS." },
  { "ca", "FILE", "Trust the certificates in this PEM file and no others." },
  { "insecure", NULL, "Do not verify the certificate: anyone can be the server." },
  { "verbose", NULL, "Show the conversation on standard error; passwords are left out." },
  { NULL, NULL, NULL },
};

const struct cmd cmds[] = {
  { "init", "ADDRESS", 1, 1, cmd_init, init_options, "make a working server for an address",
    "Writes a configuration, the data folder, a self-signed certificate, the address's domain, and the "
    "address as the first account with a password that is made and shown once. Then says what to put "
    "into DNS. Nothing that exists is overwritten." },
  { "serve", "", 0, 0, cmd_serve, serve_options, "run the server, in the foreground",
    "Logs to standard error. Stops on SIGTERM and SIGINT after it finished what it acknowledged; SIGHUP "
    "reads the configuration again. Tells systemd when it is ready." },
  { "check-config", "", 0, 0, cmd_check_config, NULL, "say what is wrong with the configuration",
    "One line for each mistake: file:line: option: what is wrong, what was meant. The certificates, keys "
    "and folders that it names are looked at too." },
  { "config", "[show|sample|manual|OPTION]", 0, 1, cmd_config, NULL,
    "show the configuration, explain its options",
    "show prints every option with its value in effect; sample a file with all defaults; manual the "
    "source of qasid.conf(5); the name of an option explains it." },
  { "account add", "ADDRESS", 1, 1, cmd_account_add, add_options, "make an account",
    "The address is its name at login too. Its domain must be one of ours (`qasid domain add`). The "
    "password is asked for, twice, without echo." },
  { "account list", "", 0, 0, cmd_account_list, NULL, "list the accounts", NULL },
  { "account passwd", "ADDRESS", 1, 1, cmd_account_passwd, passwd_options, "change an account's password",
    "A recoverable password, where one is kept, changes with it." },
  { "account enable", "ADDRESS", 1, 1, cmd_account_enable, NULL, "let an account log in again", NULL },
  { "account disable", "ADDRESS", 1, 1, cmd_account_enable, NULL, "let an account log in no more",
    "Its mail goes on coming in." },
  { "account set", "ADDRESS LIMIT VALUE|none|never|default", 3, 3, cmd_room, NULL, "give an account a limit of its own",
    "LIMIT is quota (the most octets of its mailbox, such as 2G, or none), login-delay (the least time "
    "between two logins to POP3, such as 60 or 5m, or none) or expire (how many days a message stays, or "
    "never). default is what the options quota, login_delay and pop3_expire say." },
  { "account limits", "ADDRESS", 1, 1, cmd_room, NULL, "show an account's own limits", NULL },
  { "account quota", "ADDRESS SIZE|none|default", 2, 2, cmd_room, NULL, "limit an account's mailbox",
    "A size such as 2G; the same as account set ADDRESS quota SIZE." },
  { "account certificate add", "ADDRESS FILE|FINGERPRINT", 2, 2, cmd_account_certificate, NULL,
    "let a certificate stand for an account's password",
    "A client that shows it in its TLS handshake logs in without a password (EXTERNAL), when the option client_certificates "
    "is on. FILE has the certificate in PEM; it may be self-signed. FINGERPRINT is its SHA-256." },
  { "account certificate list", "[ADDRESS]", 0, 1, cmd_account_certificate, NULL, "list certificates of accounts", NULL },
  { "account certificate delete", "ADDRESS FILE|FINGERPRINT", 2, 2, cmd_account_certificate, NULL,
    "take a certificate back", NULL },
  { "account delete", "ADDRESS", 1, 1, cmd_account_delete, delete_options, "delete an account with its mail",
    NULL },
  { "account collect add", "ADDRESS URL", 2, 2, cmd_collect_add, collect_options,
    "fetch mail from another server into an account",
    "URL is pop3s://USER@HOST[:PORT], or pop3://USER@HOST[:PORT], which says STLS and does not go on without. The "
    "certificate is always verified. Each message comes once, also when a process or the machine dies meanwhile; "
    "what is deleted there was safe here before." },
  { "account collect list", "[ADDRESS]", 0, 1, cmd_collect, NULL, "show what is fetched, and how it went", NULL },
  { "account collect run", "ID", 1, 1, cmd_collect, NULL, "fetch now", NULL },
  { "account collect pause", "ID", 1, 1, cmd_collect, NULL, "fetch no more until resume", NULL },
  { "account collect resume", "ID", 1, 1, cmd_collect, NULL, "go on fetching, beginning now",
    "A collection whose password was refused is paused by the server itself." },
  { "account collect password", "ID", 1, 1, cmd_collect_password, collect_password_options,
    "give a collection another password, and resume it", NULL },
  { "account collect delete", "ID", 1, 1, cmd_collect, NULL, "fetch from there no more",
    "What was fetched stays. Added anew, it fetches everything that is there a second time." },
  { "domain add", "DOMAIN", 1, 1, cmd_room, NULL, "receive mail for a domain", NULL },
  { "domain list", "", 0, 0, cmd_room, NULL, "list the domains", NULL },
  { "domain delete", "DOMAIN", 1, 1, cmd_room, NULL, "no longer receive mail for a domain",
    "Its accounts and aliases must be deleted first." },
  { "alias add", "ADDRESS TARGET …", 2, 64, cmd_room, NULL, "let an address lead to others",
    "Targets are accounts or aliases of this server." },
  { "alias list", "", 0, 0, cmd_room, NULL, "list the aliases", NULL },
  { "alias delete", "ADDRESS", 1, 1, cmd_room, NULL, "delete an alias", NULL },
  { "mail list", "ADDRESS", 1, 1, cmd_room, NULL, "list the messages of an account",
    "With their UIDs, sizes and UIDLs, and where each lies." },
  { "mail deleted", "ADDRESS", 1, 1, cmd_room, NULL, "list an account's deleted messages that can be brought back",
    "They are kept for the option undelete_time, and are no part of its mail, of its quota or of an export." },
  { "mail undelete", "ADDRESS [UID …]", 1, 250, cmd_mail_undelete, undelete_options, "bring deleted messages back",
    "With their UIDs and UIDLs: a client that has them does not download them again. An open POP3 session "
    "sees them the next time. Several hundred are one transaction; a command that was interrupted is said again." },
  { "status", "", 0, 0, cmd_status, NULL, "is it running, and how well",
    "The server's own line, its rooms, and the counters of each room." },
  { "ps", "", 0, 0, cmd_ps, NULL, "the sessions that are open now", NULL },
  { "trace", "ADDRESS|SESSION", 1, 1, cmd_trace, NULL,
    "what one client and the server say to each other, as it happens",
    "The IP address of a client, or the name of a session as in the log. Passwords and message bodies "
    "are left out. Until ^C." },
  { "reload", "", 0, 0, cmd_parent, NULL, "read the configuration and certificates again",
    "Open sessions stay. When the new configuration has a mistake, the old one stays; the log says what." },
  { "stop", "", 0, 0, cmd_parent, NULL, "stop the server", "After it finished what it acknowledged." },
  { "export", "ADDRESS PLACE", 2, 2, cmd_export, export_options, "write an account's mail as Maildir or mbox",
    "A Maildir is made when missing, and its tmp is used so that no half message is ever in it. An mbox "
    "must not exist yet; - is standard output. A message that cannot be read is named and left out; the command "
    "then ends with 65." },
  { "import", "ADDRESS SOURCE", 2, 2, cmd_import, import_options,
    "add a Maildir's or an mbox's mail to an account",
    "A folder is read as Maildir, or as a Cyrus mailbox when it has a cyrus.index; a file as mbox. Can be run again: a message whose UIDL is in the "
    "mailbox already is not added twice. For a message without a UIDL nothing can be known, and it is "
    "added." },
  { "backup", "FILE", 1, 1, cmd_backup, NULL, "copy all mail and accounts into one file, while serving",
    "A tar archive of the data folder as it was at one moment. - is standard output. The file must not "
    "exist yet." },
  { "restore", "FILE", 1, 1, cmd_restore, restore_options, "make a data folder from a backup",
    "The server must be stopped." },
  { "salvage", "FILE|FOLDER PLACE", 2, 2, cmd_salvage, NULL, "read what is left of a damaged store",
    "FOLDER is a data folder (or its store), FILE a database; the server must be stopped. Every message that can "
    "still be read goes into a Maildir PLACE/ADDRESS, its UIDL into PLACE/ADDRESS.uidls, so that "
    "`qasid import ADDRESS PLACE/ADDRESS --uidl PLACE/ADDRESS.uidls` brings it back as it was; messages of which "
    "nothing says whose they are go to PLACE/unknown. Logins are another database's (auth). Nothing is changed in what is read. Ends with 65 when "
    "something cannot be read, and names it." },
  { "check", "", 0, 0, cmd_room, NULL, "look at every page, count and message of the store",
    "Ends with 65 when something is damaged." },
  { "migrate pop3", "", 0, 0, cmd_migrate, migrate_options, "move accounts in from another POP3 server",
    "Logs in to the old server for each account, fetches what is not here yet, and keeps its UIDLs, so that no "
    "client downloads its mail again. Deletes nothing there. Run it again and again until the switch: each run "
    "fetches what is new, and an interrupted one is taken up by the next. docs/migration.md tells the whole way." },
  { "fetch", "URL|ADDRESS", 1, 1, cmd_fetch, fetch_options, "fetch mail by POP3",
    "pop3://USER@HOST[:PORT] with STLS when the server has it, or pop3s://USER@HOST[:PORT]. An @ in USER "
    "is written as it is or as %40. An ADDRESS alone is enough where its domain says in DNS who serves its mail (RFC 6186). A message is fetched once: its UIDL is remembered when it is safe, so a fetch that was "
    "broken off goes on where it was. Killed in the middle, it loses nothing; a Maildir and an account have nothing twice, an "
    "mbox or another server may have the last messages twice. A server without UIDL can only be fetched with --delete or --all." },
  { "send", "URL [FILE]", 1, 2, cmd_send, send_options, "send a message by SMTP",
    "smtp://[USER@]HOST[:PORT] with STARTTLS when the server has it, or smtps://…; without a port 587 "
    "(465). The message is read from FILE or standard input." },
  { "dns lookup", "NAME [address|srv|mx]", 1, 2, cmd_dns_lookup, lookup_options, "ask DNS as the server does",
    "The resolver of the running server is asked. Where none runs, the question is asked here, with the name servers, the "
    "trust anchor and the time of the configuration (its defaults where there is none), and /etc/hosts. Hosts are shown in the order in which they would be tried. A service is asked for by its whole name, "
    "such as _pop3s._tcp.example.org." },
  { "version", "", 0, 0, cmd_version, NULL, "print the version", NULL },
  { "help", "[COMMAND …]", 0, 3, cmd_help, NULL, "explain a command", NULL },
  { "help manual", "", 0, 0, cmd_help, NULL, "print the source of qasid(1)", NULL },
};
const size_t cmd_count = sizeof cmds / sizeof *cmds;

const struct cli_exit_row cli_exits[] = {
  { CLI_EXIT_OK, "done" },
  { CLI_EXIT_USAGE, "the command line is wrong" },
  { CLI_EXIT_DATA, "what was read is damaged, or no mail; check found damage" },
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
