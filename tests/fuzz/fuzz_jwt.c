/* SPDX-License-Identifier: ISC */
/* Tokens and key sets (RFC 7515, RFC 7517). The first octet picks: a key set, a token, or the
 * claims of one. */
#include "lib/json/json.h"
#include "lib/jwt/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char set[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"o\",\"x\":\"11qYAYKxCrfVS_"
    "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static void look(struct slice in) {
  const char *why;
  int64_t seconds;
  struct slice text;
  struct json_value *v = json_read(in, &why);
  if (v && !json_text(v, "iss", &text)) json_seconds(v, "exp", &seconds);
  json_done(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = slice_from(slice_of(data, size), 1);
  const struct jwt_rules rules = { SLICE("joe"), SLICE("mail"), SLICE("email"), 1300819300 };
  struct buf out;
  if (!size) return 0;
  json_start(1);
  buf_init(&out, 1024);
  struct jwt_keys *keys = jwt_keys_read(data[0] & 1 ? in : slice_str(set), &out);
  if (keys && !(data[0] & 1)) jwt_verify(keys, &rules, in, &out);
  if (data[0] & 2) look(in);
  jwt_keys_free(&keys);
  buf_free(&out);
  return 0;
}
