/* SPDX-License-Identifier: ISC */
/* The options of the commands that are clients of other servers: fetch, migrate, send. Their rows,
 * and all other commands, are in commands.c, whose rules apply here too. */
#include "src/cli/command_line.h"

const struct cmd_option cmd_fetch_options[] = {
  { "password-stdin", NULL,
    "The password is the first line of standard input; else it is asked for." },
  { "auth", "MECHANISM",
    "user (USER and PASS), apop, scram-sha-256, scram-sha-1 (each also with -plus), plain, login "
    "or cram-md5; oauthbearer or xoauth2, with an access token as the password; external, with a "
    "--client-cert. Else the best one offered, and when an account has no SCRAM, one more." },
  { "no-tls", NULL,
    "Do not use STLS, and log in in the clear. Without this option nothing of a login is sent "
    "without TLS: either from the first octet (pop3s://) or after STLS." },
  { "tls-is-gone", NULL,
    "With --no-tls: this server had TLS when it was fetched from before, and has none any more." },
  { "starttls", NULL, "The default; accepted for old scripts." },
  { "no-starttls", NULL, "The same as --no-tls." },
  { "ca", "FILE", "Trust the certificates in this PEM file and no others." },
  { "insecure", NULL, "Do not verify the certificate: anyone can be the server." },
  { "to", "PLACE",
    "Where mail goes: a Maildir (a folder, made when missing), a file (mbox), - (standard output), "
    "account:ADDRESS (one of this server's, by its store), lmtp://HOST[:PORT]/RECIPIENT or "
    "smtp://HOST[:PORT]/RECIPIENT. "
    "Else standard output." },
  { "list", NULL, "List the messages, fetch none." },
  { "server", "HOST",
    "For an ADDRESS: this host is the right one, although it is outside of the address's domain." },
  { "top", "LINES", "Show the header and so many lines of the body of each message, fetch none." },
  { "keep", NULL,
    "Leave everything at the server: what happens without --delete and --delete-after." },
  { "delete", NULL, "Delete at the server what was fetched, once it is safe at its destination." },
  { "delete-after", "DAYS", "Delete at the server what was fetched so many days ago (30, 30d)." },
  { "delete-short", NULL,
    "Delete also what came shorter than the server had said. Else it stays: the server may not "
    "have been able to "
    "read all of it." },
  { "all", NULL, "Also fetch what was fetched before." },
  { "largest", "SIZE", "Leave messages that are larger, such as 20M. Else 4G." },
  { "state", "FILE",
    "Remember in this file what was fetched (its UIDLs), one file for each maildrop and "
    "destination. Else one is kept "
    "in $XDG_STATE_HOME/qasid, or ~/.local/state/qasid; none when mail goes to standard output." },
  { "client-cert", "FILE",
    "Show this certificate (PEM, its chain behind it) to a server that asks for one." },
  { "client-key", "FILE", "Its private key; else it is in the same file." },
  { "quiet", NULL, "Print only what went wrong." },
  { "verbose", NULL, "Show the conversation on standard error; passwords are left out." },
  { NULL, NULL, NULL },
};

const struct cmd_option cmd_migrate_options[] = {
  { "from", "HOST[:PORT]",
    "The old server; also pop3://HOST, pop3s://HOST. Port 995 is TLS from the first octet, any "
    "other STLS." },
  { "accounts", "FILE",
    "A line for each account: ADDRESS, or ADDRESS<TAB>LOGIN, or ADDRESS<TAB>LOGIN<TAB>PASSWORD. "
    "LOGIN is the "
    "name there, the address when empty; PASSWORD is all that follows the second tab. # begins a "
    "comment. "
    "- is standard input." },
  { "master", "USER",
    "Log in with a master user, whose password is asked for; the file then needs no passwords." },
  { "master-password-stdin", NULL, "That password is the first line of standard input." },
  { "master-form", "FORM",
    "How the master logs in: %u is the account's login, %m the master's. Else %u*%m, as Dovecot "
    "has it. authzid: "
    "by SASL PLAIN for the account." },
  { "create", NULL,
    "Make the accounts that are missing here, with the password in the file, once the old server "
    "has let them in." },
  { "hashes", NULL,
    "What stands for passwords in the file are their hashes, as in account add --hash-stdin. With "
    "--master." },
  { "mirror-deletions", NULL,
    "Delete here what came from the old server and is there no more. For every run before the "
    "switch; never after it." },
  { "prove", "[=full]",
    "Compare what a client sees here and there: every UIDL; with =full every octet, for which all "
    "mail is "
    "fetched again." },
  { "jobs", "N", "How many accounts at a time, 1 to 64. The default is 4." },
  { "accept-short", NULL, "Take messages that come shorter than the old server announced." },
  { "auth", "MECHANISM", "As in fetch." },
  { "no-tls", NULL,
    "Do not use STLS, and log in in the clear. Without this option TLS is required." },
  { "starttls", NULL, "The default; accepted for old scripts." },
  { "no-starttls", NULL, "The same as --no-tls." },
  { "ca", "FILE", "Trust the certificates in this PEM file and no others." },
  { "insecure", NULL, "Do not verify the certificate: anyone can be the server." },
  { "verbose", NULL, "Show the conversations on standard error; passwords are left out." },
  { NULL, NULL, NULL },
};

const struct cmd_option cmd_send_options[] = {
  { "from", "ADDRESS", "The envelope's sender. The default is the user in the URL." },
  { "to", "ADDRESS", "A recipient; may be repeated.", .often = true },
  { "headers", NULL,
    "Recipients are also those that the message names in To:, Cc: and Bcc: (also -t). The Bcc: "
    "lines are not sent." },
  { "subject", "TEXT", "Make a message with this subject; what is read is its text." },
  { "password-stdin", NULL,
    "The password is the first line of standard input, the message follows it; else it is asked "
    "for." },
  { "auth", "MECHANISM",
    "scram-sha-256, scram-sha-1 (each also with -plus), plain, login or cram-md5; oauthbearer or "
    "xoauth2, with an access "
    "token as the password; external, with a --client-cert. Else the best one offered." },
  { "client-cert", "FILE",
    "Show this certificate (PEM, its chain behind it) to a server that asks for one." },
  { "client-key", "FILE", "Its private key; else it is in the same file." },
  { "starttls", NULL, "Refuse to go on without STARTTLS." },
  { "no-starttls", NULL, "Never use STARTTLS." },
  { "tls-is-gone", NULL,
    "This server had TLS when mail was sent to it before, and has none any more. Else such a "
    "server is "
    "refused." },
  { "ca", "FILE", "Trust the certificates in this PEM file and no others." },
  { "insecure", NULL, "Do not verify the certificate: anyone can be the server." },
  { "verbose", NULL, "Show the conversation on standard error; passwords are left out." },
  { NULL, NULL, NULL },
};
