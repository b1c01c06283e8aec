/* SPDX-License-Identifier: ISC */
/* One binary: a process when the parent says so, else the command line. */
#include "src/roles.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc < 3 || strcmp(argv[1], "--role") != 0) return cli_main(argc, argv);
  const struct role_row *role = role_row_named(argv[2]);
  if (role) return role->main(argc - 2, argv + 2);
  fprintf(stderr, "qasid: there is no room called %s\n", argv[2]);
  return 64;
}
