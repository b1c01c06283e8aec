#!/bin/bash
# Programs that call sendmail: cron's and PHP's ways, git send-email, mailx; what is refused makes the exit code; without a server
# nothing is called sent.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option login_domain '"example.org"'
option dns_servers '{ "127.0.0.1@9" }' # nobody there: what goes elsewhere waits
serve
add alice bob
mkdir "$dir/bin"
for name in sendmail mailq newaliases; do ln -s "$qasid_bin" "$dir/bin/$name"; done
export QASID_CONF=$dir/qasid.conf
sm() { "$dir/bin/sendmail" "$@"; }
mail() { rm -rf "$dir/mails"; q export "$1@example.org" "$dir/mails" >/dev/null && cat "$dir/mails/new/"* 2>/dev/null; }
has() { mail "$1" | tr -d '\r' | grep -qE -- "$2"; }
text() { printf 'From: alice@example.org\nTo: Alice <alice@example.org>, bob@example.org\nBcc: bob@example.org\nSubject: %s\n\nhi\n' "$1"; }
code() { local want=$1; shift; "$@" >"$dir/said" 2>&1; is "$?" "$want" && return; cat "$dir/said"; return 1; }

ok "first thing in a fresh, confined process" sm -i alice@example.org < <(text first)
ok "it is there" has alice 'Subject: first'
ok "Received: says whose program it was" has alice "by mx.example.org \(Qasid, by uid $(id -u)\) with ESMTP"
ok "the log too" grep -q "event=message.*service=local client=uid:$(id -u)" "$dir/log"
ok "-t takes the header's recipients, and Bcc goes" all 'sm -t -i < <(text tee)' 'has alice "Subject: tee"' 'has bob "Subject: tee"' 'no has bob ^Bcc:'
ok "as PHP calls it: -t -i -f" all 'sm -t -i -falice@example.org < <(text php)' 'has bob "Return-Path: <alice@example.org>"'
ok "as cron calls it: no domain, no From:, a full name" all 'printf "To: alice\nSubject: cron\n\nran\n" | sm -FCronDaemon -i -odi -oem -oi -t' \
  'has alice "Subject: cron"' "has alice '^From: \"CronDaemon\" <$(id -un)@example.org>'" 'has alice ^Message-ID:' 'has alice ^Date:'
ok "a dot ends the message, but for -i" all 'printf "Subject: dots\n\nbefore\n.\nafter\n" | sm alice' 'has alice ^before' 'no has alice ^after' \
  'printf "Subject: dots\n\nbefore\n.\nafter\n" | sm -i alice' 'has alice ^after' 'has alice "^\.$"'
ok "no header at all" all 'printf "\njust words\n" | sm -i bob' 'has bob "just words"'
ok "8-bit text" all 'printf "Subject: acht\n\nGr\303\274\303\237e\n" | sm -i bob' 'has bob Grüße'
ok "a recipient that is refused makes the exit code, the other has it" all 'code 67 sm -i alice@example.org nobody@example.org < <(text two)' \
  'grep -q "nobody@example.org.*5.1.1" "$dir/said"' 'has alice "Subject: two"'
ok "all refused" code 67 sm -i nobody@example.org < <(text none)
ok "no recipient" code 64 sm -i < <(text none)
ok "an option that would end a line" code 64 sm -i -f $'a@b>\r\nRCPT TO:<bob@example.org' alice < <(text none)
ok "-bd is nothing it does" code 64 sm -bd
ok "-bs speaks SMTP" grep -q '^221' <(printf 'EHLO x\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: spoken\r\n\r\n.\r\nQUIT\r\n' | sm -bs)
ok "and its message is there" has bob 'Subject: spoken'
ok "mailq, newaliases" all '"$dir/bin/mailq"' '"$dir/bin/newaliases"'
ok "elsewhere: it is in the queue" all 'sm -i friend@elsewhere.test < <(text away)' '"$dir/bin/mailq" | grep -q friend@elsewhere.test'
printf 'set mta=%s/bin/sendmail\nset sendwait\n' "$dir" >"$dir/mailrc"
ok "s-nail by it" all 'printf "words\n" | MAILRC=$dir/mailrc s-nail -n -Smta="$dir/bin/sendmail" -Sv15-compat -s nail -r alice@example.org bob@example.org' 'has bob "Subject: nail"'
if [ "$(id -u)" = 0 ]; then
  chmod 755 "$dir/run" "$dir/bin"
  cp "$qasid_bin" "$dir/bin/qasid" && chmod 755 "$dir/bin/qasid" && ln -sf qasid "$dir/bin/sendmail"
  as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups env QASID_CONF="$dir/qasid.conf" "$dir/bin/sendmail" "$@"; }
  ok "another user" all 'as_nobody -i alice < <(text other)' "has alice 'by uid $(id -u nobody)\)'" 'has alice "Subject: other"'
fi
stop
ok "no server: to be tried again, and that is said" code 75 sm -i alice < <(text lost)
option local_submission no
serve
ok "local_submission = no" code 75 sm -i alice < <(text off)
finish
