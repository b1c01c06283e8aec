/* SPDX-License-Identifier: ISC */
/* The Message-ID field, found in a message that comes in pieces. States, for the next octet:
 *
 *   LINE_START → NAME      the line may be a Message-ID field
 *   NAME       → VALUE     the name and its colon matched
 *   VALUE      ⇄ VALUE_END the line has ended; a space or tab continues the value
 *   VALUE_END  → OVER      found; LINE_START → OVER: the end of the header
 *   LINE_START, NAME → OTHER → LINE_START      the rest of a line of another field
 *
 * Invariants: the result does not depend on how the octets were cut; at most MESSAGE_ID_MAX octets
 * are kept. */
#include "mail/message_id.h"

enum { LINE_START, NAME, VALUE, VALUE_END, OTHER, OVER };

static const struct slice wanted = { (const uint8_t *)"message-id", 10 };

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

/* A continuation line of another field is treated as a line of another field. */
static uint8_t line_start(struct message_id *m, uint8_t c) {
  m->matched = 0;
  if (c == '\r' || c == '\n') return OVER;
  if (ascii_lower(c) != wanted.p[0]) return OTHER;
  m->matched = 1;
  return NAME;
}

static uint8_t name(struct message_id *m, uint8_t c) {
  if (m->matched < wanted.n && ascii_lower(c) == wanted.p[m->matched]) {
    m->matched++;
    return NAME;
  }
  if (m->matched < wanted.n) return c == '\n' ? LINE_START : OTHER;
  if (c == ':') return VALUE;
  /* RFC 5322 §4.5: blanks before the colon */
  return is_blank(c) ? NAME : c == '\n' ? LINE_START : OTHER;
}

static void keep(struct message_id *m, uint8_t c) {
  if (c != '\r' && m->n < MESSAGE_ID_MAX && (m->n || !is_blank(c))) m->octets[m->n++] = c;
}

static uint8_t next(struct message_id *m, uint8_t c) {
  switch (m->state) {
  case LINE_START: return line_start(m, c);
  case NAME: return name(m, c);
  case OTHER: return c == '\n' ? LINE_START : OTHER;
  case VALUE_END:
    if (!is_blank(c)) return OVER;
    keep(m, c);
    return VALUE;
  case VALUE:
    if (c == '\n') return VALUE_END;
    keep(m, c);
    return VALUE;
  default: return OVER;
  }
}

void message_id_take(struct message_id *m, struct slice piece) {
  for (size_t i = 0; i < piece.n && m->state != OVER; i++) m->state = next(m, piece.p[i]);
}

struct slice message_id_value(const struct message_id *m) {
  size_t n = m->n;
  while (n && is_blank(m->octets[n - 1])) n--;
  return (struct slice){ m->octets, n };
}
