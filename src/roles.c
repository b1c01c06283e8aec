/* SPDX-License-Identifier: ISC */
/* The main functions of the roles that this binary can run as, in the order of ipc/roles.def. */
#include "src/roles.h"

#include <string.h>

static role_main_fn *const mains[ROLE_COUNT] = {
#define ROLE(id, name, ...) name##_main,
#include "ipc/roles.def"
#undef ROLE
};

role_main_fn *role_main_named(const char *name) {
  for (size_t i = 0; i < ROLE_COUNT; i++)
    if (strcmp(role_rows[i].name, name) == 0) return mains[i];
  return NULL;
}
