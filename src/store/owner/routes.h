/* SPDX-License-Identifier: ISC */
/* The account and the sender's domain that select routes for mail, and the destination under which
 * it waits.
 *
 * A row's destination is the recipient's domain; if a line of `routes` for an account or for a
 * sender's domain decides, that line's selector follows it: "example.net account:a@example.org".
 * Such mail is routed differently from the rest for that domain, so it is scheduled separately: one
 * route may be dead or slow, and the other not. The sender chooses the route again for each letter,
 * so after a reload rows are sent by the current routes at once; their destination is corrected
 * with the next result (outbound_results.c). */
#ifndef QASID_STORE_OWNER_ROUTES_H
#define QASID_STORE_OWNER_ROUTES_H

#include "src/store/jobs/queue.h"
#include "src/store/owner/owner.h"

struct routes_whose {
  struct buf account, sender;
};
/* A login's route must carry that login's mail only, so only verified facts count, not an
 * envelope's claims:
 *
 *   account  the account that submitted it; not for mail forwarded by a local account or alias
 *   sender   the domain of the reverse-path to be sent, if an authorized sender wrote it; mail
 *            forwarded for others is sent in the name of its forwarder's domain (mail/srs.h)
 *
 * Mail with the empty reverse-path, such as a report, has neither. */
void routes_whose(struct store *s, const struct queue_letter *l, struct slice forwarder,
                  struct routes_whose *ret);
void routes_whose_free(struct routes_whose *w);
/* The domain alone. */
struct slice routes_domain(struct slice destination);
/* The destination for mail to that domain. */
void routes_put_destination(const struct store *s, struct slice domain,
                            const struct routes_whose *w, struct buf *out);
/* Completes the destinations of a message's recipients. False without memory. */
bool routes_set_destinations(struct store *s, struct deliver_job *d);

#endif
