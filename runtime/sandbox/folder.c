/* SPDX-License-Identifier: ISC */
/* The sandbox's only open(2): a handle on the one folder that a process may use. It is a
 * function of its own so that tools/link-check can tell it from any other use of open(2). */
#include "runtime/sandbox/folder.h"

#include <fcntl.h>

int sandbox_folder(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }
