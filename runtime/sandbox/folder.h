/* SPDX-License-Identifier: ISC */
/* The one file-system call of the sandbox, in a function of its own: tools/link-check knows it by
 * name, so that no other use of open(2) can hide in a front-end. */
#ifndef QASID_SANDBOX_FOLDER_H
#define QASID_SANDBOX_FOLDER_H

/* A handle on the folder (O_PATH: it permits no reading or writing), or -1 with errno set. */
int sandbox_folder(const char *path);

#endif
