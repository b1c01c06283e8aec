#!/bin/bash
# The drop folder: mail of local programs while the server is down is on the disk when sendmail exits 0, and is submitted
# once when the server is up, whatever else lies in the folder, and whoever is killed in between.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option login_domain '"example.org"'
option dns_servers '{ "127.0.0.1@9" }' # nobody there: what goes elsewhere waits
option message_size_limit 1M
serve
add alice bob
stop
mkdir "$dir/bin"
cp "$qasid_bin" "$dir/bin/qasid" && chmod 755 "$dir/bin" "$dir/bin/qasid"
for name in sendmail mailq; do ln -s qasid "$dir/bin/$name"; done
export QASID_CONF=$dir/qasid.conf
drop=$dir/data/pickup
root=
[ "$(id -u)" = 0 ] && root=yes
sm() { "$dir/bin/sendmail" "$@"; }
as() { setpriv --reuid="$1" --regid=nogroup --clear-groups env QASID_CONF="$dir/qasid.conf" "${@:2}"; }
mail() { rm -rf "$dir/mails"; q export "$1@example.org" "$dir/mails" >/dev/null && cat "$dir/mails/new/"* 2>/dev/null; }
times() { is "$(mail "$1" | grep -c "^Subject: $2")" "$3"; } # ACCOUNT SUBJECT HOW-OFTEN
code() { local want=$1; shift; "$@" >"$dir/said" 2>&1; is "$?" "$want" && return; cat "$dir/said"; return 1; }
text() { printf 'From: alice@example.org\nTo: alice@example.org, bob@example.org\nSubject: %s\n\nhi\n.\nend\n' "$1"; }
whole() { find "$drop" -maxdepth 1 -type f -printf '%f\n' | grep -m1 -xE '[0-9a-f]{32}'; }
files() { find "$drop" -maxdepth 1 -type f | wc -l; }
aside() { find "$drop/aside" -mindepth 1 | wc -l; }
wait_for() { local i; for ((i = 0; i < 300; i++)); do eval "$1" && return; sleep 0.1; done; echo "never: $1"; return 1; }
empty() { wait_for '[ "$(files)" = 0 ]'; }

# --- left on the disk ---
mode=700 && [ -n "$root" ] && mode=1733
ok "the folder's mode" is "$(stat -c %a "$drop")" $mode
ok "with nobody there it is left" all 'code 0 sm -i alice bob@example.org < <(text first)' 'is "$(cat "$dir/said")" ""' 'is "$(files)" 1'
ok "whole, under the name of a whole one" bash -c "ls '$drop' | grep -qxE '[0-9a-f]{32}' && grep -q '^qasid-drop 1' '$drop'/[0-9a-f]*"
ok "-t, 8 bits, no From:, a report asked for" code 0 sm -t -N failure,delay -R hdrs -V here < <(printf 'To: bob\nBcc: alice\nSubject: second\n\nGr\303\274\303\237e\n')
ok "what the server would refuse at once is refused at once" all 'code 64 sm -i "a b" < <(text bad)' 'code 64 sm -N maybe alice < <(text bad)' \
  'code 64 sm -i < <(text bad)' 'code 65 sm -i alice < <(text bad; head -c 2000000 /dev/zero | tr "\0" x)' 'is "$(files)" 2'
ok "-bs has nobody to speak to" code 75 sm -bs
ok "mailq counts them" bash -c "'$dir/bin/mailq' | grep -q '^2 messages wait in the drop folder .*, 0 were set aside'"
if [ -n "$root" ]; then
  chmod 755 "$dir/run"
  first=$(whole)
  ok "another user's" code 0 as nobody "$dir/bin/sendmail" -i alice < <(text nobodys)
  ok "who may not list the folder, or remove others' files" all 'no as nobody ls "$drop"' 'no as nobody rm -f "$drop/$first"' \
    'no as nobody ls "$drop/aside"' 'test -f "$drop/$first"'
fi

# --- a fresh, confined server submits it: everything else in the folder is passed by or set aside ---
user=
[ -n "$root" ] && user="as nobody"
id32() { printf '%032x' "$1"; }
$user ln -s /etc/passwd "$drop/$(id32 1)"
$user mkfifo "$drop/$(id32 2)"
$user bash -c "printf 'qasid-drop 1\nFROM:<alice@example.org>\nTO:<bob@example.org>\n99\n\nSubject: short\n' >'$drop/$(id32 3)'"
$user bash -c "printf 'qasid-drop 1\nFROM:<alice@example.org>\nTO:<bob@exa' >'$drop/$(id32 4)'"
$user bash -c "head -c 100000 /dev/urandom >'$drop/$(id32 5)'"
$user bash -c "head -c 3000000 /dev/zero >'$drop/$(id32 6)'"
$user mkdir -p "$drop/$(id32 7)/full" "$drop/hollow"
$user bash -c "echo >'$drop/a name of
two lines'"
$user bash -c "echo unfinished >'$drop/tmp-now'; echo unfinished >'$drop/tmp-old'; touch -d @1000000000 '$drop/tmp-old'"
$user bash -c "printf 'qasid-drop 1\nFROM:<>\nTO:<nobody@example.org>\nTO:<alice@example.org>\n16\n\nSubject: half\r\n\r\n' >'$drop/$(id32 8)'; sed -i 's/^16$/17/' '$drop/$(id32 8)'"
printf 'qasid-drop 1\nFROM:<alice@example.org>\nTO:<bob@example.org>\n19\n\nSubject: linked\r\n\r\n' >"$dir/linked"
ln "$dir/linked" "$drop/$(id32 9)"
: >"$dir/log"
serve
ok "it is submitted" wait_for 'times alice first 1 && times bob first 1 && times bob second 1 && times alice second 1'
ok "with its owner" all "mail alice | tr -d '\r' | grep -q 'by mx.example.org (Qasid, by uid $(id -u)) with ESMTP'" \
  "grep -q 'event=message.*service=local client=uid:$(id -u)' '$dir/log'"
ok "as it was" all "mail bob | tr -d '\r' | grep -q '^\.$'" 'mail bob | grep -q Grüße' "mail bob | tr -d '\r' | grep -qE '^From: .*<$(id -un)@example.org>'" \
  '! mail alice | grep -q ^Bcc:'
[ -n "$root" ] && ok "the other user's, with that user" all 'wait_for "times alice nobodys 1"' \
  "mail alice | grep -q 'by uid $(id -u nobody))'"
ok "one that some recipients refuse reaches the others, and the postmaster, for it has no sender" all 'wait_for "times alice half 2"' \
  'wait_log "event=drop .*from <> to nobody@example.org: 550 .*reported to postmaster@mx.example.org"' 'wait_for "mail alice | grep -q \"^Final-Recipient: rfc822; nobody@\""'
ok "nothing else is left but the unfinished file and a folder that is not empty" wait_for '[ "$(ls "$drop" | sort | tr "\n" " ")" = "$(id32 7) aside tmp-now " ]'
ok "all that was no message is set aside, not removed" is "$(aside)" 7
ok "named in the log" all 'wait_log "event=drop .*is no file, and is removed"' 'wait_log "event=drop .*it has a second name"' 'wait_log "event=drop .*not as long as it should be"' \
  'wait_log "event=drop .*is no file, and cannot be"' 'wait_log "event=drop .*: the size"' 'wait_log "event=drop .*the first line"' \
  'wait_log "event=drop .*never finished"' 'wait_log "event=drop .*no such name"'
told() { mail alice | tr -d '\r' | grep -c "^Subject: [0-9]* files* in the drop folder of sendmail set aside"; }
ok "the postmaster is told of those, once" all 'wait_for "is \"\$(told)\" 1"' 'mail alice | grep -q "^Subject: 7 files"' 'mail alice | grep -q "$(id32 3) of uid .*: the message is not as long"' \
  'mail alice | grep -q "^Auto-Submitted: auto-generated"'
ok "the link's other name is untouched" grep -q linked "$dir/linked"
ok "status counts them" all 'q --json status | json "r[\"drops\"] == [{\"waiting\": 0, \"set-aside\": 7}]"' 'q status | grep -q "^drop folder"'
echo nothing >"$drop/nothing"
ok "and of what comes within the hour with the next one" all 'wait_log "event=drop .*the file nothing"' 'sleep 1' 'is "$(told)" 1'
ok "with the server up the folder is not used" all 'code 0 sm -i alice < <(text direct)' 'times alice direct 1'
find "$drop/aside" -mindepth 1 -delete; rm -rf "${drop:?}/$(id32 7)" "$drop"/tmp-*

# --- killed in between: no second copy, none lost ---
pickup_killed() {
  local i
  for ((i = 0; i < 40; i++)); do code 0 sm -i alice bob@example.org friend@elsewhere.test < <(text "kill$i") || return 1; done
  serve
  for ((i = 0; i < 12; i++)); do
    sleep "0.0$((RANDOM % 10))"
    case $((i % 4)) in
      0) kill -9 "$(pid_of pickup)" ;;
      1) kill -9 "$(pid_of smtpd)" ;;
      2) kill -9 "$(pid_of store)" ;;
      3) kill -9 "$server"; wait "$server" 2>/dev/null; serve ;;
    esac 2>/dev/null
  done
  stop; serve # what was put off is tried at once
  empty
}
stop
ok "40 messages, and 12 kills of pickup, smtpd, store and the whole" pickup_killed
each_once() {
  local all i
  all=$(mail "$1" | grep -o '^Subject: kill[0-9]*')
  is "$(wc -l <<<"$all")" 40 && is "$(sort -u <<<"$all" | wc -l)" 40
}
ok "each once in each mailbox" all 'each_once alice' 'each_once bob'
ok "and once in the queue" is "$(q --json queue list | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')" 40
ok "nothing was set aside" is "$(aside)" 0

# A commit, and a kill before the file is gone: the file comes again as it was.
stop
ok "left" code 0 sm -i alice bob@example.org < <(text again)
name=$(whole)
cp -p "$drop/$name" "$dir/kept"
serve
ok "it was taken" empty
stop
cp -p "$dir/kept" "$drop/$name"
[ -n "$root" ] && chown "$(stat -c %u:%g "$dir/kept")" "$drop/$name"
serve
ok "the same file once more, after a restart" empty
ok "is no second copy" all 'times alice again 1' 'times bob again 1'
# One mailbox is full: the others have it, and it comes again.
q account quota bob@example.org 5K >/dev/null
stop
ok "left for a full mailbox too" code 0 sm -i alice bob@example.org < <(text partly; head -c 900 /dev/zero | tr '\0' x)
serve
ok "those with room get it" wait_for 'times alice partly 1'
ok "and it waits for the other" is "$(files)" 1
q account quota bob@example.org none >/dev/null
stop; serve
ok "who gets it, and nobody else a second time" all empty 'times alice partly 1' 'times bob partly 1'

# --- what is refused comes back, once ---
stop
body_of() { mail "$1" | tr -d '\r'; }
reports() { body_of "$1" | grep -c '^Content-Type: multipart/report; report-type=delivery-status'; }
has() { body_of "$1" | grep -qE "$2"; }
left() { find "$drop" -maxdepth 1 -type f | grep -cE '/[0-9a-f]{32}$'; }
put() { # NAME FROM TO…: a file as sendmail leaves it, with the text of standard input
  local name=$1 from=$2 octets
  shift 2
  sed 's/$/\r/' >"$dir/wire"
  octets=$(stat -c %s "$dir/wire")
  { printf 'qasid-drop 1\nFROM:%s\n' "$from"; printf 'TO:%s\n' "$@"; printf '%s\n\n' "$octets"; cat "$dir/wire"; } >"$drop/tmp-put"
  mv "$drop/tmp-put" "$drop/$name"
}
add dave
bobs() { reports bob; }
ok "left for somebody, and for nobody" code 0 sm -f bob@example.org -V here -i alice ghost@example.org < <(text returned; echo "the body")
name=$(whole)
cp -p "$drop/$name" "$dir/kept"
: >"$dir/log"
serve
ok "the good recipient has it" wait_for 'times alice returned 1'
ok "its sender has a report, and the file is gone" all 'wait_for "is \"\$(bobs)\" 1"' empty
ok "by the rules" all 'has bob "^Auto-Submitted: auto-replied"' 'has bob "^Return-Path: <>"' 'has bob "^Final-Recipient: rfc822; ghost@example.org"' \
  'has bob "^Action: failed"' 'has bob "^Status: 5.1.1"' 'has bob "^Diagnostic-Code: smtp; 550 5.1.1 No such mailbox here"' 'has bob "^Original-Envelope-Id: here"' \
  'has bob "^Content-Type: text/rfc822-headers"' 'has bob "^Subject: returned"' 'no has bob "^the body"' 'no has bob "^Final-Recipient: .*alice"'
ok "the log says who, to whom and why" wait_log "event=drop .*$name of uid $(id -u), from <bob@example.org> to ghost@example.org: 550 5.1.1 No such mailbox here; reported to bob@example.org"
stop
cp -p "$dir/kept" "$drop/$name"
[ -n "$root" ] && chown "$(stat -c %u:%g "$dir/kept")" "$drop/$name"
serve
ok "killed before the file was gone: no second report, no second copy" all empty 'is "$(bobs)" 1' 'times alice returned 1'
stop
put "$(id32 11)" '<bob@example.org> RET=FULL' '<ghost@example.org>' '<phantom@example.org> NOTIFY=FAILURE' '<spectre@example.org> NOTIFY=NEVER' < <(text whole; echo "the body")
put "$(id32 12)" '<bob@example.org>' '<spectre@example.org> NOTIFY=NEVER' < <(text silent)
put "$(id32 13)" '<nobody@example.org>' '<ghost@example.org>' < <(text orphan)
put "$(id32 14)" '<bob@example.org>' '<alice@example.org>' < <(text large; head -c 1500000 /dev/zero | tr '\0' x | fold -w 70)
# shellcheck disable=SC2046
put "$(id32 15)" '<bob@example.org>' $(for i in $(seq 60); do echo "<ghost$i@example.org>"; done) '<alice@example.org>' < <(text many)
serve
ok "all of them are done with" empty
ok "one report on a message, with RET=FULL all of it" all 'is "$(bobs)" 4' 'has bob "^Final-Recipient: rfc822; phantom@"' 'has bob "^the body"'
ok "none where none is wanted" all 'no has bob "spectre"' 'no has alice "^Subject: silent"' 'wait_log "event=drop .*spectre@.*its sender wants no report"'
ok "an unknown sender's goes to the postmaster" all 'has alice "^Subject: orphan"' 'has alice "^To: <postmaster@mx.example.org>"' 'wait_log "event=drop .*from <nobody@.*reported to postmaster@mx.example.org"'
ok "one that is too large" all 'no times alice large 1' 'has bob "^Subject: large"' 'has bob "^Status: 5.3.4"'
ok "sixty unknown recipients keep nobody else from it" all 'times alice many 1' 'has bob "^Final-Recipient: rfc822; ghost60@"'
is_at() { is "$(left)" "$1"; }
# The mailbox that should have the report is full: nothing is removed before.
q account quota dave@example.org 5K >/dev/null
ok "its mailbox is nearly full" code 0 sm -i dave < <(text filler; head -c 4500 /dev/zero | tr '\0' x | fold -w 70)
stop
put "$(id32 16)" '<dave@example.org>' '<ghost@example.org>' '<bob@example.org>' < <(text waits)
serve
ok "no room for the report: the file stays" all 'wait_for "times bob waits 1"' 'sleep 1' 'is_at 1'
q account quota dave@example.org none >/dev/null
stop; serve
ok "until there is, and nobody gets the message twice" all empty 'wait_for "is \"\$(reports dave)\" 1"' 'times bob waits 1'
# What nobody could take for five days.
q account quota dave@example.org 5K >/dev/null
stop
put "$(id32 17)" '<bob@example.org>' '<dave@example.org>' < <(text old)
put "$(id32 18)" '<dave@example.org>' '<dave@example.org>' < <(text older)
touch -d '6 days ago' "$drop/$(id32 17)" "$drop/$(id32 18)"
before=$(aside)
serve
ok "later for five days: a report" all 'wait_for "is \"\$(left)\" 0"' 'wait_for "has bob \"^Status: 4.4.7\""' 'has bob "not be delivered for 6 days"'
ok "to the postmaster if the sender's mailbox is still full" all 'has alice "^Subject: older"' 'wait_log "event=drop .*$(id32 18).*reported to postmaster@"'
q account quota alice@example.org 5K >/dev/null
stop
put "$(id32 19)" '<>' '<ghost@example.org>' < <(text lost)
touch -d '6 days ago' "$drop/$(id32 19)"
serve
ok "and if that is full too, the file is set aside" all 'wait_for "is \"\$(aside)\" $((before + 1))"' 'wait_log "event=drop .*$(id32 19).* is set aside.*ghost@"' 'is "$(left)" 0'
for account in alice dave; do q account quota "$account@example.org" none >/dev/null; done

# --- a full disk ---
stop
if [ -n "$root" ] && mkdir "$dir/small" && mount -t tmpfs -o size=256k none "$dir/small" 2>/dev/null; then
  mkdir -m 1733 "$dir/small/pickup"
  sed "s|^data_dir = .*|data_dir = \"$dir/small\"|" "$dir/qasid.conf" >"$dir/small.conf"
  full() { QASID_CONF=$dir/small.conf code 75 "$dir/bin/sendmail" -i alice < <(text full; head -c 600000 /dev/zero | tr '\0' x); }
  ok "no room: 75, and nothing is left" all full 'grep -q "No space left" "$dir/said"' 'is "$(ls "$dir/small/pickup")" ""'
  umount "$dir/small"
fi
ok "a limit of file size: likewise" bash -c "ulimit -f 8; (printf 'Subject: x\n\n'; head -c 20000 /dev/zero) | QASID_CONF='$dir/qasid.conf' '$dir/bin/sendmail' -i alice; [ \$? = 75 ] && ! ls '$drop' | grep -qE '^(tmp-|[0-9a-f]{32}$)'"
mv "$drop" "$drop.away"
ok "no folder: 75" all 'code 75 sm -i alice < <(text lost)' 'grep -q "is not running" "$dir/said"'
mv "$drop.away" "$drop"

# --- the option ---
option local_submission no
ok "local_submission = no: 75, down" all 'code 75 sm -i alice < <(text off)' 'is "$(files)" 0'
serve
ok "and up" all 'code 75 sm -i alice < <(text off)' 'is "$(files)" 0' 'is "$(pid_of pickup)" ""'
finish
