/* SPDX-License-Identifier: ISC */
/* Reads cyrus.index (cyrus.h): a table of the layouts of its versions, and one record after
 * another. Pure: the whole file is in memory. Invariant: octets beyond the file's end are
 * never read (slice_at); the version decides the layout. */
#include "src/cli/mailbox/cyrus.h"

/* Where a version keeps the fields that are read here. */
static const struct layout {
  unsigned from; /* this version and later ones */
  unsigned header, record;
  unsigned uidvalidity, options, exists; /* in the header; exists 0: there is none */
  unsigned date, date_size, flags;       /* in a record, where the UID is at 0 */
} layouts[] = {
  { 20, 192, 144, 92, 64, 60, 8, 8, 36 },
  { 19, 160, 112, 44, 64, 60, 4, 4, 32 },
  { 12, 128, 96, 44, 60, 84, 4, 4, 32 },
  { 6, 76, 60, 44, 60, 0, 4, 4, 32 },
};
enum {
  VERSION_AT = 8,
  START_AT = 12,
  RECORD_SIZE_AT = 16,
  RECORDS_AT = 20,
  LAYOUTS = sizeof layouts / sizeof *layouts,
  NEW_UIDL = 1, /* OPT_POP3_NEW_UIDL */
};
#define NOT_THERE (UINT32_C(3) << 30) /* expunged, or its file is removed */

static uint64_t number(struct slice s, size_t at, size_t octets) {
  uint64_t n = 0;
  for (size_t i = 0; i < octets; i++) n = n << 8 | (uint64_t)(slice_at(s, at + i) & 0xff);
  return n;
}

static const struct layout *layout_of(unsigned version) {
  for (size_t i = 0; i < LAYOUTS; i++)
    if (version >= layouts[i].from && version <= 20 && version != 11) return &layouts[i];
  return NULL;
}

bool cyrus_open(struct cyrus_index *x, struct slice file, struct buf *err) {
  unsigned version = (unsigned)number(file, VERSION_AT, 4);
  const struct layout *l = layout_of(version);
  *x = (struct cyrus_index){ .version = version };
  if (!l || file.n < l->header) {
    buf_put_str(err, "this is not a cyrus.index of the versions 6 to 20");
    return false;
  }
  uint64_t start = number(file, START_AT, 4), size = number(file, RECORD_SIZE_AT, 4),
           count = number(file, RECORDS_AT, 4);
  if (start < l->header || start > file.n || size < l->record || count > (file.n - start) / size) {
    buf_put_str(err, "it is shorter than its header says");
    return false;
  }
  x->record_size = size;
  x->records = slice_first(slice_from(file, start), count * size);
  x->uidvalidity = (uint32_t)number(file, l->uidvalidity, 4);
  x->new_form =
      (number(file, l->options, 4) & NEW_UIDL) || (l->exists && !number(file, l->exists, 4));
  return true;
}

static uint32_t flags_of(uint64_t flags) {
  static const uint32_t by_bit[] = { MAIL_ANSWERED, MAIL_FLAGGED, MAIL_DELETED, MAIL_DRAFT,
                                     MAIL_SEEN };
  uint32_t ret = 0;
  for (size_t i = 0; i < sizeof by_bit / sizeof *by_bit; i++)
    if (flags >> i & 1) ret |= by_bit[i];
  return ret;
}

bool cyrus_next(struct cyrus_index *x, struct cyrus_message *ret) {
  const struct layout *l = layout_of(x->version);
  while (x->records.n) {
    struct slice record = slice_first(x->records, x->record_size);
    x->records = slice_from(x->records, x->record_size);
    uint64_t flags = number(record, l->flags, 4), date = number(record, l->date, l->date_size);
    *ret =
        (struct cyrus_message){ .uid = (uint32_t)number(record, 0, 4), .flags = flags_of(flags) };
    ret->date = (int64_t)(l->date_size == 8 ? date / 1000000000u : date);
    if (ret->uid && !(flags & NOT_THERE)) return true;
  }
  return false;
}

void cyrus_put_uidl(struct buf *out, const struct cyrus_index *x, enum cyrus_form form,
                    uint32_t uid) {
  unsigned validity = x->uidvalidity;
  switch (x->new_form ? form : CYRUS_FORM_UIDONLY) {
  case CYRUS_FORM_UIDONLY: buf_printf(out, "%u", uid); break;
  case CYRUS_FORM_CYRUS: buf_printf(out, "%u.%u", validity, uid); break;
  case CYRUS_FORM_DOVECOT: buf_printf(out, "%08x%08x", uid, validity); break;
  case CYRUS_FORM_COURIER: buf_printf(out, "%u-%u", validity, uid); break;
  }
}
