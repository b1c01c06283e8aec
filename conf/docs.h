/* SPDX-License-Identifier: ISC */
/* Documentation of the options, generated from their rows: help text, sample file, manual page. */
#ifndef QASID_CONF_DOCS_H
#define QASID_CONF_DOCS_H

#include "lib/base/buf.h"

/* For a terminal. With `name`, that option alone; false when there is none of that name. */
bool conf_help(struct buf *out, const char *name);
/* Every option at its default, commented out, with its prose: docs/qasid.conf.sample. */
void conf_sample(struct buf *out);
/* mdoc: docs/man/qasid.conf.5. */
void conf_manual(struct buf *out);

#endif
