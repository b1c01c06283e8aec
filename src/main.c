/* SPDX-License-Identifier: ISC */
/* One binary: a process if the parent has started it, else the command line. */
#include "src/roles.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc < 3 || strcmp(argv[1], "--role") != 0) return cli_main(argc, argv);
  role_main_fn *role_main = role_main_named(argv[2]);
  if (role_main) return role_main(argc - 2, argv + 2);
  fprintf(stderr, "qasid: there is no role %s\n", argv[2]);
  return 64;
}
