/* SPDX-License-Identifier: ISC */
/* The roles (roles.def), and which of them are connected by a channel (roles.c). */
#ifndef QASID_IPC_ROLES_H
#define QASID_IPC_ROLES_H

#include "ipc/ipc.h"

enum role {
#define ROLE(id, ...) ROLE_##id,
#include "ipc/roles.def"
#undef ROLE
  ROLE_COUNT
};

/* The sandbox class. */
enum role_class {
  ROLE_CLASS_NONE,  /* not confined */
  ROLE_CLASS_FRONT, /* reads untrusted input from sockets that it is given */
  ROLE_CLASS_FILES, /* threads, and files in its folder */
  ROLE_CLASS_KEYS,  /* small files in its folder */
  ROLE_CLASS_DIALS, /* makes outgoing connections */
  ROLE_CLASS_DROPS, /* reads and removes files that local users put into its folder */
};

/* The role is started if at least one of these exists or is enabled; 0: always. */
enum { ROLE_NEEDS_LISTENER = 1, ROLE_NEEDS_COLLECT = 2, ROLE_NEEDS_SEND = 4, ROLE_NEEDS_LOCAL = 8 };

/* What the parent gives it, in addition to its options and its channels. */
enum {
  ROLE_GIVEN_LISTENERS = 1,
  ROLE_GIVEN_CERTIFICATES = 2, /* the chains; the keys process has the private keys instead */
  ROLE_GIVEN_PRIVATE_KEYS = 4,
  ROLE_GIVEN_TICKETS = 8,
  ROLE_GIVEN_TOKEN_KEYS = 16, /* the file of oauth_keys */
  ROLE_GIVEN_NOTES = 32,      /* the page of ipc/front_notes.h, and the addresses to refuse */
};

/* How a reload applies changed `reads` or `files`. A process that reads files before it is confined
 * cannot do so again: it ends and is started again, or a new one is started beside it while it
 * finishes its work (src/parent/renew.c). */
enum role_renewal { ROLE_RELOADED, ROLE_RENEWED, ROLE_PUT_BESIDE };

struct role_row {
  const char *name;
  enum role_class class;
  bool several;        /* the option NAME_processes gives the number of processes; otherwise one */
  bool answers;        /* it answers other processes' questions: a replacement takes its place at
                        * once */
  bool late;           /* no client waits for it: it is started when the others are ready */
  bool folder;         /* it has a folder named after it in data_dir */
  unsigned needs;      /* ROLE_NEEDS_…; such a role is not started with --offline */
  unsigned given;      /* ROLE_GIVEN_… */
  uint8_t start, stop; /* the order of starting, from 1, and of stopping, from 0 */
  uint16_t ready_s;    /* time limit for becoming ready after its start */
  enum role_renewal renewal;
  const char *reads;   /* the options that are read only at its start */
  const char *files;   /* names of files, or of options that hold one; at most 100 octets each */
  const char *dials;   /* the TCP ports it may connect to, as text; NULL: none */
  const char *options; /* the options it is sent; it sees the defaults of all others */
  const char *without; /* the folders whose code it must not contain, as extended regular
                        * expressions */
  const char *user;    /* the full name of its user, after "Qasid" */
};

#define ROLE_OPTIONS_ALL "hostname largest_file log_level process_memory strict_sandbox"
#define ROLE_OPTIONS_FRONT                                                                \
  ROLE_OPTIONS_ALL " auth_mechanisms client_certificates connections_per_address"         \
                   " connections_per_process login_failures oauth_keys parked_limit"      \
                   " plaintext_auth plaintext_networks pop3_surrogates require_tls_login" \
                   " tls_ciphers tls_handshake_timeout tls_least tls_ticket_life"

extern const struct role_row role_rows[ROLE_COUNT];
const char *role_name(enum role kind);
/* True if the parent starts processes of this role. */
bool role_has_processes(enum role kind);

/* For packaging/qasid.sysusers, and for SECURITY.md: a row for each role. */
void role_put_sysusers(struct buf *out);
void role_put_table(struct buf *out);

/* One row of the process graph. */
struct ipc_wire {
  enum role left, right;
  const struct ipc_pair *pair;
  bool blocking; /* the left process sends requests synchronously, on the bare descriptor */
};
extern const struct ipc_wire ipc_wires[];
extern const size_t ipc_wire_count;
/* The row of the two roles, in either order, or NULL. */
const struct ipc_wire *ipc_wire_between(enum role a, enum role b);

#endif
