#!/bin/bash
# A reload, a stop and a death while a server elsewhere takes its time over the end of data: what it may have taken is not sent again
# where that can be helped, and the history tells where it could not. What is known of TLS outlives all of them.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns port < <(free_ports 2)
zone=()
host() { zone+=("--mx-host=$1.test,mx.$1.test,10" "--address=/mx.$1.test/127.0.0.$2"); }
host slow 81; host quick 82; host notls 83; host silent 84
names_begin /dev/null "${zone[@]}" --local=/test/
peer_begin slow
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
outside_ready slow
sends_at "$dns" "$port"
option sender_stop_time 4
serve
add alice

submit() { # SUBJECT RECIPIENT…
  python3 - "$submission" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", sys.argv[3:], "From: alice@example.org\r\nSubject: %s\r\n\r\nhi\r\n" % sys.argv[2])
s.quit()
PY
}
came() { grep -q "$1" "$dir/slow/came"; }
times() { [ "$(grep -c "$2" "$dir/slow/came")" = "$1" ] || { cat "$dir/slow/came"; return 1; }; }
gone() { local rows; rows=$(q queue list "to=$1") && ! grep -q '@' <<<"$rows"; }
role() { q --json status | python3 -c 'import json,sys; print(*[r["pid"] for r in json.load(sys.stdin)["processes"] if r["role"] == sys.argv[1] and r["state"] == (sys.argv[2:] or ["ready"])[0]])' "$@"; }
renew() { option routes "{ \"changed-$SECONDS.test direct\" }"; q reload; } # the sender reads them at its start

# --- a reload ---
before=$(role sender) names_before=$(role resolver)
option queue_warn_after 3h
ok "a reload that changes nothing of theirs leaves the sender and the resolver" all 'q reload' '[ "$(role sender)" = "$before" ]' '[ "$(role resolver)" = "$names_before" ]'
submit notls a@notls.test
ok "TLS that is none: in the clear" within 10 came '127.0.0.83 a@notls.test'
submit one a@slow.test
ok "a server has the whole message, and does not say that it takes it" within 10 came 'a@slow.test Subject: one'
submit silent a@silent.test
sleep 1.5
ok "a reload with a change for the sender" renew
ok "another sender works" eval '[ -n "$(role sender)" ] && [ "$(role sender)" != "$before" ]'
ok "the former one finishes" eval '[ -n "$before" ] && [ "$(role sender finishing)" = "$before" ]'
ok "which is well" eval 'q status --check --ignore certificates --ignore disk | grep -q OK'
submit two a@quick.test
ok "mail leaves by the new one meanwhile" within 10 came 'a@quick.test Subject: two'
submit three b@slow.test
ok "to the slow server, too" within 10 came 'b@slow.test Subject: three'
ok "what the former one had not begun is with the new one" within 10 eval 'q queue list to=silent.test | grep -qE "in-session|connecting"'
sleep 6
ok "the server still has it once" times 1 'a@slow.test'
touch "$dir/slow/go"
ok "its reply counts" within 10 gone slow.test
ok "each once" all 'times 1 a@slow.test' 'times 1 b@slow.test'
ok "the history tells it" eval 'q queue history a@slow.test | grep -q sent'
finished() { [ -z "$(role sender finishing)" ]; }
ok "the former sender has ended" within 10 finished
knows_tls() { submit again "$1@notls.test" && within 10 came "$1@notls.test" && [ "$(wc -l <"$dir/slow/tls")" = 1 ] && q plan x@notls.test | grep -q 'TLS failed there'; }
ok "what is known of TLS outlived the reload" knows_tls b
kill -9 "$(role sender)"
ok "and the sender's death" within 10 knows_tls c

# --- deaths ---
rm "$dir/slow/go"
submit four c@slow.test
ok "a third message, unanswered" within 10 came 'c@slow.test Subject: four'
sleep 2.5 # store knows where it is
kill -9 "$(role sender)"
ok "the sender is killed: the history tells that the attempt was cut, and where" within 10 eval 'q queue history c@slow.test | grep -q "cut.*end .*may have taken"'
ok "and it is sent again" within 10 times 2 c@slow.test
ok "why tells it" eval 'q why c@slow.test | grep -q "cut.*may have taken"'
touch "$dir/slow/go"
ok "it ends" within 10 gone slow.test

# --- stops ---
rm "$dir/slow/go"
submit five d@slow.test
within 10 came 'd@slow.test Subject: five'
(sleep 2; touch "$dir/slow/go") &
ok "a stop waits for the reply to an end of data" stop
serve
ok "which counts" eval 'gone slow.test && times 1 d@slow.test && q queue history d@slow.test | grep -q sent'
ok "what is known of TLS outlived the restart" knows_tls d
rm "$dir/slow/go"
submit six e@slow.test
within 10 came 'e@slow.test Subject: six'
start=$SECONDS
ok "but not for ever" stop
ok "sender_stop_time" eval '[ $((SECONDS - start)) -ge 3 ] && [ $((SECONDS - start)) -le 12 ]'
ok "the log tells what was cut" grep -qE 'event=cut .*to=e@slow.test .*stage=end' "$dir/log"
touch "$dir/slow/go"
serve
ok "it is sent again" within 10 times 2 e@slow.test
ok "the history tells both" within 10 eval 'q queue history e@slow.test | grep -q cut && q queue history e@slow.test | grep -q sent'

# --- the resolver ---
option dns_timeout 5
ok "the resolver is replaced where its options change; the sender stays" eval 'before=$(role sender) names_before=$(role resolver); q reload && [ "$(role sender)" = "$before" ] && [ "$(role resolver)" != "$names_before" ]'
submit seven f@quick.test
ok "mail goes on" within 10 came 'f@quick.test Subject: seven'
ok "no process died but by us" eval '[ "$(grep -c event=process-died "$dir/log")" = 2 ]'
stop
finish
