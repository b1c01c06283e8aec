/* SPDX-License-Identifier: ISC */
/* Domains with U-labels converted to A-labels by libidn2, label by label.
 * Invariant: a label is accepted only if its A-label converts back to the same label, so nothing
 * but the case of ASCII letters was mapped. */
#include "mail/alabel.h"

#include <idn2.h>

/* True if libidn2 converts the A-label back to the original label: then nothing was mapped on the
 * way. */
static bool converts_back(const char *ascii, const char *label) {
  char *back = NULL;
  bool same = idn2_to_unicode_8z8z(ascii, &back, 0) == IDN2_OK && strcmp(back, label) == 0;
  idn2_free(back);
  return same;
}

static bool put_u_label(struct buf *out, struct slice label) {
  char text[4 * ALABEL_MAX + 1], *ascii = NULL;
  if (label.n >= sizeof text) return false;
  for (size_t i = 0; i < label.n; i++) text[i] = (char)ascii_lower(label.p[i]);
  text[label.n] = 0;
  bool fine =
      idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES) == IDN2_OK &&
      slice_starts(slice_str(ascii), SLICE("xn--")) && converts_back(ascii, text);
  if (fine) buf_put_str(out, ascii);
  idn2_free(ascii);
  return fine;
}

static bool put_label(struct buf *out, struct slice label) {
  size_t before = buf_len(out);
  if (slice_has_high(label)) {
    if (!put_u_label(out, label)) return false;
  } else {
    for (size_t i = 0; i < label.n; i++) {
      uint8_t c = ascii_lower(label.p[i]);
      if (!ascii_is_alnum(c) && c != '-' && c != '_') return false;
      buf_put_u8(out, c);
    }
  }
  return label.n > 0 && !out->failed && buf_len(out) - before <= ALABEL_MAX;
}

bool alabel_put_domain(struct buf *out, struct slice domain) {
  if (domain.n > 1 && slice_at(domain, domain.n - 1) == '.') domain.n--;
  for (;;) {
    bool last = slice_find(domain, '.') < 0;
    if (!put_label(out, slice_split(&domain, '.'))) return false;
    if (last) return true;
    buf_put_u8(out, '.');
  }
}
