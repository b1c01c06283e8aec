/* SPDX-License-Identifier: ISC */
/* JSON through Jansson. `struct json_value` is Jansson's json_t under another name; the two
 * casts below are the only conversions.
 * Invariants: text nested deeper than JSON_DEPTH_MAX is refused before Jansson, which recurses,
 * sees it; a document that is read is one object without duplicate names. */
#include "lib/json/json.h"

#include <jansson.h>

static json_t *raw(const struct json_value *v) { return (json_t *)(uintptr_t)v; }
static struct json_value *wrapped(json_t *v) { return (struct json_value *)v; }

void json_start(uint64_t seed) { json_object_seed(seed ? (size_t)seed : 1); }

/* Jansson recurses into nested values; the depth is checked before it parses. */
static bool is_shallow(struct slice text) {
  size_t depth = 0;
  bool inside = false;
  for (size_t i = 0; i < text.n; i++) {
    uint8_t c = text.p[i];
    if (inside && c == '\\')
      i++;
    else if (c == '"')
      inside = !inside;
    else if (!inside && (c == '{' || c == '[') && ++depth > JSON_DEPTH_MAX)
      return false;
    else if (!inside && (c == '}' || c == ']') && depth)
      depth--;
  }
  return true;
}

struct json_value *json_read(struct slice text, const char **ret_why) {
  json_error_t error;
  *ret_why = "it is nested too deeply";
  if (!is_shallow(text)) return NULL;
  json_t *v =
      json_loadb(text.n ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES, &error);
  bool twice = !v && json_error_code(&error) == json_error_duplicate_key;
  *ret_why = twice ? "it has a name twice" : "it is not JSON";
  if (v && !json_is_object(v)) {
    *ret_why = "it is not an object";
    json_decref(v);
    v = NULL;
  }
  return wrapped(v);
}

void json_done(struct json_value **v) {
  json_decref(raw(*v));
  *v = NULL;
}

const struct json_value *json_member(const struct json_value *object, const char *name) {
  return wrapped(json_object_get(raw(object), name));
}

bool json_is_text(const struct json_value *v, struct slice *ret) {
  if (!json_is_string(raw(v))) return false;
  *ret = slice_of(json_string_value(raw(v)), json_string_length(raw(v)));
  return true;
}

bool json_text(const struct json_value *object, const char *name, struct slice *ret) {
  return json_is_text(json_member(object, name), ret);
}

bool json_seconds(const struct json_value *object, const char *name, int64_t *ret) {
  const int64_t most = (int64_t)1 << 53;
  const json_t *v = raw(json_member(object, name));
  if (json_is_integer(v)) {
    *ret = json_integer_value(v);
    return *ret >= -most && *ret <= most;
  }
  double d = json_real_value(v);
  if (!json_is_real(v) || !(d >= -(double)most && d <= (double)most)) return false;
  *ret = (int64_t)d - (d < (double)(int64_t)d);
  return true;
}

size_t json_count(const struct json_value *array) { return json_array_size(raw(array)); }
const struct json_value *json_item(const struct json_value *array, size_t at) {
  return wrapped(json_array_get(raw(array), at));
}
bool json_denies(const struct json_value *object, const char *name) {
  const struct json_value *v = json_member(object, name);
  struct slice text;
  if (!v || json_is_true(raw(v))) return false;
  return !json_is_text(v, &text) || !slice_eq(text, SLICE("true"));
}

/* --- writing --- */

struct json_value *json_new_object(void) {
  return wrapped(json_object());
}
struct json_value *json_new_array(void) {
  return wrapped(json_array());
}

void json_put_number(struct json_value *object, const char *name, int64_t n) {
  json_object_set_new(raw(object), name, json_integer(n));
}

bool json_put_text(struct json_value *object, const char *name, struct slice text) {
  json_t *s = json_stringn(text.n ? (const char *)text.p : "", text.n);
  return s && json_object_set_new(raw(object), name, s) == 0;
}

void json_put_item(struct json_value *array, struct json_value *item) {
  json_array_append_new(raw(array), raw(item));
}

void json_put_value(struct json_value *object, const char *name, struct json_value *value) {
  json_object_set_new(raw(object), name, raw(value));
}

void json_write(const struct json_value *v, FILE *to, bool compact) {
  json_dumpf(raw(v), to, JSON_ENSURE_ASCII | (compact ? JSON_COMPACT : JSON_INDENT(2)));
  fputc('\n', to);
}
