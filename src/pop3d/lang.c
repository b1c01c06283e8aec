/* SPDX-License-Identifier: ISC */
/* The languages of replies and the catalogue from messages.def (RFC 6856 §3). Constant tables, pure
 * functions. Invariant: a text that has no translation is returned in English, so every reply
 * exists in every language. */
#include "src/pop3d/lang.h"

static unsigned form_same(uint64_t n) { return 0; }
static unsigned form_one(uint64_t n) { return n == 1 ? 0 : 1; }
static unsigned form_french(uint64_t n) { return n < 2 ? 0 : 1; }
static unsigned form_russian(uint64_t n) {
  if (n % 100 >= 11 && n % 100 <= 14) return 2;
  return n % 10 == 1 ? 0 : n % 10 >= 2 && n % 10 <= 4 ? 1 : 2;
}

/* The columns of messages.def, in order. */
const struct language pop3d_languages[LANGUAGES] = {
  /* clang-format off */
  { "en", "English", form_one, { "message", "messages", "" }, { "octet", "octets", "" } },
  { "az", "Azərbaycanca", form_same, { "mesaj", "", "" }, { "bayt", "", "" } },
  { "de", "Deutsch", form_one, { "Nachricht", "Nachrichten", "" }, { "Byte", "Byte", "" } },
  { "fr", "Français", form_french, { "message", "messages", "" }, { "octet", "octets", "" } },
  { "ru", "Русский", form_russian, { "сообщение", "сообщения", "сообщений" },
    { "байт", "байта", "байт" } },
  { "tr", "Türkçe", form_same, { "ileti", "", "" }, { "bayt", "", "" } },
  { "es", "Español", form_one, { "mensaje", "mensajes", "" }, { "octeto", "octetos", "" } },
  /* clang-format on */
};

static const char *const catalogue[][LANGUAGES] = {
#define T(en, az, de, fr, ru, tr, es) { en, az, de, fr, ru, tr, es },
#include "src/pop3d/messages.def"
#undef T
};

bool language_find(struct slice range, unsigned *ret) {
  if (slice_eq(range, SLICE("*"))) {
    *ret = 0;
    return true;
  }
  while (range.n > 0) {
    for (unsigned i = 0; i < LANGUAGES; i++) {
      if (!slice_caseeq(range, slice_str(pop3d_languages[i].tag))) continue;
      *ret = i;
      return true;
    }
    ptrdiff_t cut = slice_rfind(range, '-');
    range = slice_first(range, cut < 0 ? 0 : (size_t)cut);
  }
  return false;
}

const char *pop3d_translated(unsigned language, const char *english) {
  if (language == 0 || language >= LANGUAGES) return english;
  for (size_t i = 0; i < sizeof catalogue / sizeof *catalogue; i++)
    if (strcmp(catalogue[i][0], english) == 0) return catalogue[i][language];
  return english; /* numbers only: "%u %llu" */
}
