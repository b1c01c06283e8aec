/* SPDX-License-Identifier: ISC */
/* The smtpd-store pair: the encoders, decoders and rule table of the messages in smtpd_store.h, all
 * generated from its rows; and the only mapping from verdicts to SMTP replies. */
#include "ipc/smtpd_store.h"

SMTPD_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_smtpd_store, "smtpd-store", SMTPD_STORE_MESSAGES);

enum smtp_outcome smtp_of_verdict(uint8_t verdict) {
  static const enum smtp_outcome outcomes[RCPT_VERDICTS] = {
    [RCPT_OURS] = SMTP_RCPT_OK,
    [RCPT_UNKNOWN] = SMTP_RCPT_UNKNOWN,
    [RCPT_ELSEWHERE] = SMTP_RCPT_ELSEWHERE,
    [RCPT_LEAVES] = SMTP_RCPT_OK,
    [RCPT_INCOMPLETE] = SMTP_RCPT_INCOMPLETE,
    [RCPT_NOT_YOURS] = SMTP_NOT_YOURS,
    [RCPT_FULL] = SMTP_RCPT_FULL,
    [RCPT_NO_SPACE] = SMTP_NO_SPACE,
    [RCPT_TROUBLE] = SMTP_RCPT_TROUBLE,
    [RCPT_TOO_BIG] = SMTP_RCPT_TOO_BIG,
  };
  return verdict < RCPT_VERDICTS ? outcomes[verdict] : SMTP_RCPT_TROUBLE;
}

enum smtp_outcome smtp_of_commit(uint8_t outcome) {
  static const enum smtp_outcome outcomes[COMMIT_OUTCOMES] = {
    [COMMIT_DONE] = SMTP_OK,
    [COMMIT_TROUBLE] = SMTP_TROUBLE,
    [COMMIT_NO_SPACE] = SMTP_NO_SPACE,
    [COMMIT_TOO_BIG] = SMTP_TOO_BIG,
    [COMMIT_FULL] = SMTP_RCPT_FULL,
    [COMMIT_SOME_FULL] = SMTP_SOME_FULL,
    [COMMIT_NEVER] = SMTP_RCPT_TOO_BIG,
    [COMMIT_SOME_NEVER] = SMTP_SOME_TOO_BIG,
    [COMMIT_NOT_YOURS] = SMTP_NOT_YOUR_FROM,
  };
  return outcome < COMMIT_OUTCOMES ? outcomes[outcome] : SMTP_TROUBLE;
}
