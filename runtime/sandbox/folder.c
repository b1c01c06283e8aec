/* SPDX-License-Identifier: ISC */
#include "runtime/sandbox/folder.h"

#include <fcntl.h>

int sandbox_folder(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }
