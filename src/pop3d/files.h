/* SPDX-License-Identifier: ISC */
/* A session's reads of messages that store passed as open files (runtime/front/front.h has what the
 * shell calls). */
#ifndef QASID_POP3D_FILES_H
#define QASID_POP3D_FILES_H

#include "runtime/front/front.h"

bool pop3d_files_ask(struct front_readers *all, void **own, struct proto *p);
enum front_file pop3d_files_take(struct front_readers *all, void **own, struct proto *p,
                                 struct slice payload, int fd);
void pop3d_files_free(struct front_readers *all, void **own);

#endif
