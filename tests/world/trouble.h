/* SPDX-License-Identifier: ISC */
/* What goes wrong in one life of a story in the simulated world, and its name in a failure. */
#ifndef QASID_WORLD_TROUBLE_H
#define QASID_WORLD_TROUBLE_H

enum trouble {
  TROUBLE_POWER,   /* the machine dies: what was not synced is gone */
  TROUBLE_PROCESS, /* all processes die, the disk stays as it is */
  TROUBLE_ONE,     /* one process dies, the others go on */
  TROUBLE_SYNC,    /* a sync fails */
  TROUBLE_WRITE,   /* a write fails */
  TROUBLE_FULL,    /* the disk is full */
  TROUBLES
};

static inline const char *trouble_name(enum trouble trouble) {
  static const char *const names[TROUBLES] = { "power", "all-processes", "one-process",
                                               "sync",  "write",         "full" };
  return names[trouble];
}

#endif
