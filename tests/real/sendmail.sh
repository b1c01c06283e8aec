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
# shellcheck disable=SC2046
many() { code 0 sm -i $(yes bob@example.org | head -n "$1") < <(text "many $1"); is "$(mail bob | grep -c "^Subject: many $1")" "$2"; }
ok "recipients beyond a transaction's 1000 go in another" many 1001 2
ok "also many of them" many 2500 3
ok "all refused" code 67 sm -i nobody@example.org < <(text none)
ok "no recipient" code 64 sm -i < <(text none)
ok "an option that would end a line" code 64 sm -i -f $'a@b>\r\nRCPT TO:<bob@example.org' alice < <(text none)
ok "-bd is nothing it does" code 64 sm -bd
ok "-bs speaks SMTP" grep -q '^221' <(printf 'EHLO x\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: spoken\r\n\r\n.\r\nQUIT\r\n' | sm -bs)
ok "and its message is there" has bob 'Subject: spoken'
# qasid send, which is no local program: the file's own Return-Path is left out, Bcc is the caller's.
ok "qasid send leaves a Return-Path out" all 'printf "Return-Path: <z@y.test>\nBcc: kept@y.test\nSubject: sent\n\nx\n" | q send "smtp://127.0.0.1:$smtp" --no-starttls --from a@example.net --to bob@example.org' \
  'has bob "Subject: sent"' 'has bob kept@y.test' 'no has bob z@y.test'
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
ok "no server: it is left for it (pickup.sh)" code 0 sm -i alice < <(text left)
find "$dir/data/pickup" -type f -delete
option local_submission no
serve
ok "local_submission = no" code 75 sm -i alice < <(text off)
stop

# A server as `qasid init` makes it: without login_domain an address gets the server's own name.
init() { env -u QASID_CONF "$qasid_bin" init n1@d1.test --dir "$dir/fresh" --hostname mail.ours.example --address 127.0.0.1 --password-stdin <<<secret-n1; }
ok "qasid init" init
{ grep -v ^listen_ "$dir/fresh/qasid.conf"; grep -E '^(listen_|dns_servers)' "$dir/qasid.conf"; } >"$dir/conf" && mv "$dir/conf" "$dir/qasid.conf"
serve
# The message that sendmail, which has to say nothing, makes of standard input, behind Received:, and without what differs.
makes() { # TEXT WANTED ARGUMENT…
  local text=$1 wanted=$2 got
  shift 2
  printf "$text" | sm "$@" >"$dir/said" 2>&1 || { cat "$dir/said"; return 1; }
  is "$(cat "$dir/said")" '' || return 1
  rm -rf "$dir/mails"
  q export n1@d1.test "$dir/mails" >/dev/null || return 1
  got=$(cat "$(printf "%s\n" "$dir/mails/new/"* | sort -V | tail -1)" | sed -E '/^Received:/,/;$/d; /^\t.* [0-9:]{8} /d; /^Date: /d; s/<[0-9a-f]{32}@/<ID@/')
  is "$got" "$(printf "$wanted")"
}
me=$(id -un)@mail.ours.example
ours="Return-Path: <$me>\nFrom: <$me>\nMessage-ID: <ID@mail.ours.example>\n"
ok "no login_domain: sender, From: and Message-ID: have the server's name, nothing else of its EHLO" \
  makes 'Subject: x\n\nx\n' "${ours}Subject: x\n\nx" n1@d1.test
ok "-t with a recipient of no domain" all 'code 0 sm -t -i < <(printf "To: n2\n\nx\n")' '"$dir/bin/mailq" | grep -q n2@mail.ours.example'
ok "lines that end in CRLF" makes 'Subject: x\r\n\r\nx\r\n' "${ours}Subject: x\n\nx" n1@d1.test
ok "a name of several lines is one" makes 'Subject: x\n\nx\n' "${ours/From: /From: \"aX: b\" }Subject: x\n\nx" -F $'a\r\nX: b' n1@d1.test
ok "the empty reverse-path is nobody's From:" makes 'Subject: x\n\nx\n' "${ours/$me/}Subject: x\n\nx" -f '<>' n1@d1.test
ok "an mbox's line in front is left out, one in the body is not" \
  makes 'From x Mon Nov 23 20:07:00 2026\nSubject: x\n\nFrom x\n' "${ours}Subject: x\n\nFrom x" n1@d1.test
ok "so are quoted ones, with CRLF and with -t" \
  makes '>From x\r\nFrom y\r\nTo: n1@d1.test\r\n\r\nx\r\n' "${ours}To: n1@d1.test\n\nx" -t
ok "a message of an mbox's line alone is empty" makes 'From x' "${ours}" n1@d1.test
ok "nor is a Return-Path" makes 'Return-Path: <z@y.test>\nSubject: x\n\nx\n' "${ours}Subject: x\n\nx" n1@d1.test
ok "a text without a header is a body" makes 'just words\nFrom x\n' "${ours}\njust words\nFrom x" n1@d1.test
ok "nor does it continue our header" makes '  indented\n' "${ours}\n  indented" n1@d1.test
finish
