/* SPDX-License-Identifier: ISC */
/* Whose routes mail may take, and the destination under which it waits.
 *
 * A row's destination is the recipient's domain; where a line of `routes` for an account or for a
 * sender's domain decides, that line's selector is behind it: "example.net account:a@example.org".
 * Such mail goes another way than the rest for that domain, so it is scheduled by itself: the one
 * way may be dead or slow, and the other not. The sender chooses the route anew for each letter, so
 * after a reload rows go by the present routes at once; what their destination says is put right
 * with the next result (outbound_results.c). */
#ifndef QASID_STORE_OWNER_ROUTES_H
#define QASID_STORE_OWNER_ROUTES_H

#include "src/store/jobs/queue.h"
#include "src/store/owner/owner.h"

struct routes_whose {
  struct buf account, sender;
};
/* A login's route must carry that login's mail only, so it counts who is known, not what an
 * envelope says:
 *
 *   account  who submitted it; not for what an account or alias here forwards
 *   sender   the domain of the reverse-path that leaves, when who may send here wrote it; forwarded
 *            mail of others leaves in the name of its forwarder's domain (mail/srs.h)
 *
 * Mail with the empty reverse-path, such as a report, has neither. */
void routes_whose(struct store *s, const struct queue_letter *l, struct slice forwarder,
                  struct routes_whose *ret);
void routes_whose_free(struct routes_whose *w);
/* The domain alone. */
struct slice routes_domain(struct slice destination);
/* The destination of mail for that domain. */
void routes_put_destination(const struct store *s, struct slice domain,
                            const struct routes_whose *w, struct buf *out);
/* Completes the destinations of a message's recipients. False without memory. */
bool routes_set_destinations(struct store *s, struct deliver_job *d);

#endif
