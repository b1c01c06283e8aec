/* SPDX-License-Identifier: ISC */
/* JSON (RFC 8259): a strict, bounded reader, and a writer for other programs. Implemented with
 * Jansson, whose names appear only in lib/json.
 *
 * The reader accepts one object, in UTF-8, with no duplicate names in an object, no NUL, numbers in
 * range, nested at most JSON_DEPTH_MAX deep. */
#ifndef QASID_JSON_H
#define QASID_JSON_H

#include "lib/base/buf.h"

#include <stdio.h>

enum { JSON_DEPTH_MAX = 16 /* key sets and tokens have three or four */ };

struct json_value; /* an object, array, string, number …; owned by the document that contains it */

/* To be called once in a process that will be confined: the random seed of the tables, which is
 * otherwise read from a file at the first use. */
void json_start(uint64_t seed);

/* NULL with a short reason in *ret_why (static, without any part of the text). */
struct json_value *json_read(struct slice text, const char **ret_why);
void json_done(struct json_value **v);

/* The member of an object, or NULL. */
const struct json_value *json_member(const struct json_value *object, const char *name);
/* False: there is no such member, or it is not a string. Borrowed. */
bool json_text(const struct json_value *object, const char *name, struct slice *ret);
/* Whole seconds of a number, rounded down (a NumericDate may have a fraction, RFC 7519 §2). False:
 * no such member, not a number, or one beyond 2^53. */
bool json_seconds(const struct json_value *object, const char *name, int64_t *ret);
/* How many items an array has; 0 for anything else. */
size_t json_count(const struct json_value *array);
const struct json_value *json_item(const struct json_value *array, size_t at);
/* True if the member exists and is anything but `true` or "true": false, "false", 0, null … */
bool json_denies(const struct json_value *object, const char *name);
/* The value itself is a string. */
bool json_is_text(const struct json_value *v, struct slice *ret);

/* --- writing: NULL and lack of memory are tolerated; a value is owned by the one it is put into
 * --- */
struct json_value *json_new_object(void);
struct json_value *json_new_array(void);
void json_put_number(struct json_value *object, const char *name, int64_t n);
/* False: it is not UTF-8, and nothing was put. */
bool json_put_text(struct json_value *object, const char *name, struct slice text);
void json_put_item(struct json_value *array, struct json_value *item);
void json_put_value(struct json_value *object, const char *name, struct json_value *value);
/* Indented, or (compact) on one line; ASCII only; ended by a line feed. */
void json_write(const struct json_value *v, FILE *to, bool compact);

#endif
