/* SPDX-License-Identifier: ISC */
/* Files and folders that may lie where somebody else can write. qasid often runs as root and reads
 * a user's Maildir, or writes into a user's home: whatever stands there was perhaps put there to
 * make root read or overwrite another file.
 *
 * 1. A symbolic link on the way is followed only when root or the caller made it.
 * 2. Nothing is opened that could wait (a FIFO) or act (a device): regular files and folders alone.
 * 3. A file inside a folder belongs to the folder's owner; a hard link to another's file does not.
 */
#ifndef QASID_CLI_PLACE_H
#define QASID_CLI_PLACE_H

#include <sys/stat.h>

#include "lib/base/buf.h"

/* open(2) under rule 1; a file with several names in a folder of somebody else is refused. -1 with
 * errno; ELOOP: a link that somebody else made. */
int place_open(const char *path, int flags, mode_t mode);
/* A regular file to read, under all rules: its owner is that of the folder it lies in, unless that
 * folder is root's or the caller's. -1 with errno. */
int place_open_file(const char *path, struct stat *ret);
/* A file or a folder of an open folder, whose owner is `owner`: never through a link. A folder may
 * be root's or the caller's too. */
int place_open_in(int folder, const char *name, uid_t owner, struct stat *ret);
int place_open_folder_in(int folder, const char *name, uid_t owner, uid_t *ret_owner);
/* A folder that is made when it is missing; *ret_owner: whose it is. */
int place_make_folder(const char *path, mode_t mode, uid_t *ret_owner);
/* All of an open file. False with errno; EFBIG: it is larger than the buffer may be. */
bool place_read(int fd, struct buf *to);
/* What an errno of these functions means. */
const char *place_why(int error);

#endif
