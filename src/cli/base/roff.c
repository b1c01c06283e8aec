/* SPDX-License-Identifier: ISC */
/* Text for a manual page in mdoc. */
#include <string.h>

#include "src/cli/base/cli.h"

void cli_put_roff(struct buf *out, const char *text) {
  for (const char *first = text; *text; text++) {
    bool sentence =
        text > first && text[0] == ' ' && text[-1] == '.' && text[1] >= 'A' && text[1] <= 'Z';
    if (sentence)
      buf_put_u8(out, '\n');
    else if ((text == first || text[-1] == '\n') && (*text == '.' || *text == '\''))
      buf_printf(out, "\\&%c", *text);
    else if (*text == '\\')
      buf_put_str(out, "\\e");
    else if (*text == '"')
      buf_put_str(out, "\\(dq");
    else if (strncmp(text, "…", sizeof "…" - 1) == 0)
      buf_put_str(out, "..."), text += sizeof "…" - 2;
    else
      buf_put_u8(out, (uint8_t)*text);
  }
  buf_put_u8(out, '\n');
}
