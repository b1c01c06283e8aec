/* SPDX-License-Identifier: ISC */
/* The words for rows of the queue's history (attempt.h). */
#include "src/store/jobs/attempt.h"

#include "ipc/sender_store.h"

static const char *const words[] = {
  [ATTEMPT_SENT] = "sent",
  [ATTEMPT_FAILED] = "failed",
  [ATTEMPT_DEFERRED] = "deferred",
  [ATTEMPT_DROPPED] = "dropped",
  [ATTEMPT_EXPIRED] = "expired",
  [ATTEMPT_HELD] = "held",
  [ATTEMPT_RELEASED] = "released",
  [ATTEMPT_RETRIED] = "retried",
  [ATTEMPT_TO_FAIL] = "to-be-failed",
  [ATTEMPT_REPORTED] = "reported",
  [ATTEMPT_CUT] = "cut",
};
enum { WORDS = sizeof words / sizeof *words };

const char *attempt_word(int64_t what) {
  return what >= 0 && what < WORDS ? words[what] : "unknown";
}

const char *attempt_stage_word(int64_t stage) {
  return stage == ATTEMPT_NO_STAGE ? "" : send_stage_word((uint8_t)stage);
}

bool attempt_was_in_vain(int64_t what) {
  return what == ATTEMPT_FAILED || what == ATTEMPT_DEFERRED || what == ATTEMPT_EXPIRED;
}
