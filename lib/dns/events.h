/* SPDX-License-Identifier: ISC */
/* libunbound's pluggable event loop, implemented on lib/ev. */
#ifndef QASID_DNS_EVENTS_H
#define QASID_DNS_EVENTS_H

#include "lib/ev/loop.h"

struct ub_event_base;

/* NULL without memory. To be freed when the libunbound context is gone. */
struct ub_event_base *dns_events_new(struct loop *l);
void dns_events_free(struct ub_event_base **base);

#endif
