/* A POP3 client (RFC 1939, 2449, 2595, 5034), one command after another. */
#ifndef QASID_CLI_POP3_CLIENT_H
#define QASID_CLI_POP3_CLIENT_H

#include "lib/pop3/line.h"
#include "lib/pop3/reply.h"
#include "src/cli/net.h"

struct pop3_client {
  struct net net;
  struct pop3_framer framer;
  char timestamp[256];   /* the greeting's, for APOP; "": none */
  bool stls, user, uidl; /* what CAPA offers */
  bool capable;          /* it knows CAPA */
  char mechanisms[512];  /* SASL's, separated by spaces */
  char text[512];        /* what the last status line said, made safe */
  struct slice authzid;  /* whom to log in for, by SASL; set after opening, empty for oneself */
};

/* Connects, hears the greeting, asks for capabilities, and says STLS where it can. The exit code. */
int pop3_client_open(struct pop3_client *p, const struct cli *c, const struct url *url);
/* `named`: --auth's word or NULL. */
int pop3_client_login(struct pop3_client *p, const char *named, struct slice user, struct slice password);
void pop3_client_close(struct pop3_client *p);

/* A command and its status line. False with the exit code in *ret_code, said. */
bool pop3_client_ask(struct pop3_client *p, const char *line, int *ret_code);
/* The octets of a multi-line answer, un-stuffed, to `take`, which may refuse to go on. */
bool pop3_client_text(struct pop3_client *p, bool (*take)(void *arg, struct slice piece), void *arg,
                      int *ret_code);
/* The same line by line. */
bool pop3_client_lines(struct pop3_client *p, void (*each)(void *arg, struct slice line), void *arg,
                       int *ret_code);

#endif
