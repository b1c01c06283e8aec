/* SPDX-License-Identifier: ISC */
/* The table of addresses whose TLS failed, written as a whole, since it is small and rarely changes
 * (jobs/tls_failures.h). */
#include "src/store/sql/tls_failures.h"

#include "src/store/sql/engine.h"
#include "src/store/sql/work.h"

static enum db_result insert(struct db *db, const struct tls_failure *f) {
  struct db_stmt *s = db_prepare(db, "INSERT INTO no_tls (address, port, destination, why, until)"
                                     " VALUES (?, ?, ?, ?, ?)");
  db_bind_blob(s, 1, slice_of(f->address, f->n));
  db_bind_int(s, 2, f->port);
  db_bind_blob(s, 3, slice_of(f->destination, f->destination_n));
  db_bind_blob(s, 4, slice_of(f->why, f->why_n));
  db_bind_int(s, 5, f->until_s);
  return db_run(s);
}

enum db_result tls_failures_run(struct store_engine *e, struct store_job *job) {
  const struct tls_failures_job *j = (const struct tls_failures_job *)job;
  enum db_result r = db_run(db_prepare(e->db, "DELETE FROM no_tls"));
  for (size_t i = 0; r == DB_OK && i < j->count; i++) r = insert(e->db, &j->rows[i]);
  return r;
}

enum db_result tls_failures_each(struct db *db, tls_failure_fn *fn, void *arg) {
  struct db_stmt *q = db_prepare(db, "SELECT address, port, destination, why, until FROM no_tls");
  enum db_result r;
  while ((r = db_step(q)) == DB_ROW) {
    struct send_no_tls row = { .address = db_bytes(q, 0), .port = (uint16_t)db_int(q, 1) };
    row.destination = slice_first(db_bytes(q, 2), SEND_DESTINATION_MAX);
    row.why = slice_first(db_bytes(q, 3), SEND_NO_TLS_WHY_MAX);
    if (row.address.n == 4 || row.address.n == 16) fn(arg, &row, db_int(q, 4));
  }
  db_reset(q);
  return r;
}
