/* SPDX-License-Identifier: ISC */
/* Growing arrays (array.h). Invariant: *cap counts the items that the array has memory for, and
 * changes together with the pointer or not at all. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"

enum { FIRST_CAP = 16 };

bool array_reserve(void *items, size_t *cap, size_t wanted, size_t each) {
  if (wanted <= *cap) return true;
  if (wanted > SIZE_MAX / 2 / each) return false; /* so that neither product overflows */
  size_t room = *cap * 2;
  if (room < FIRST_CAP) room = FIRST_CAP;
  if (room < wanted) room = wanted;
  void *old, *new; /* copied, as pointers of different types must not alias */
  memcpy(&old, items, sizeof old);
  new = realloc(old, room * each);
  if (!new) return false;
  memcpy(items, &new, sizeof new);
  *cap = room;
  /* cppcheck-suppress memleak -- *items has it */
  return true;
}
