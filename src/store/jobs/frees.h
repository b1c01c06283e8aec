/* SPDX-License-Identifier: ISC */
/* Functions that free the parts of a job of each kind (kinds.def). For job.c only. */
#ifndef QASID_STORE_JOBS_FREES_H
#define QASID_STORE_JOBS_FREES_H

#include "src/store/jobs/job.h"

void command_free(struct store_job *j);
void deliver_free(struct store_job *j);
void expired_free(struct store_job *j);
void late_free(struct store_job *j);
void octets_free(struct store_job *j);
void open_free(struct store_job *j);
void quit_free(struct store_job *j);
void read_free(struct store_job *j);
void result_free(struct store_job *j);
void seen_free(struct store_job *j);
void spool_free(struct store_job *j);
void take_free(struct store_job *j);
void warn_free(struct store_job *j);

#endif
