#!/bin/bash
# Mail to other servers, found through DNS: another Qasid, and servers with ways of their own (tests/real/odd_smtp.py). What is
# taken arrives, or its sender is told; whoever dies meanwhile.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns port < <(free_ports 2)

# --- the outside: DNS, odd servers, and another Qasid at 127.0.0.60 ---
zone=()
host() { zone+=("--mx-host=$1.test,mx.$1.test,10" "--address=/mx.$1.test/127.0.0.$2"); }
host far 60; host good 61; host notls 62; host grey 63; host half 64; host cut 65; host endless 67; host empty 68; host dead 69; host busy 72; host odd 73; host lost 74
zone+=("--mx-host=backup.test,mx1.backup.test,10" "--address=/mx1.backup.test/127.0.0.66")
zone+=("--mx-host=backup.test,mx2.backup.test,20" "--address=/mx2.backup.test/127.0.0.61")
zone+=("--mx-host=oddly.test,mx1.oddly.test,10" "--address=/mx1.oddly.test/127.0.0.73")
zone+=("--mx-host=oddly.test,mx2.oddly.test,20" "--address=/mx2.oddly.test/127.0.0.61")
zone+=("--mx-host=both.test,mx.both.test,10" "--address=/mx.both.test/::1" "--address=/mx.both.test/127.0.0.71")
zone+=("--mx-host=half6.test,mx.half6.test,10" "--address=/mx.half6.test/::1" "--address=/mx.half6.test/127.0.0.69")
zone+=("--srv-host=_submission._tcp.mx.example.org,odd.srv.test,9,1" "--srv-host=_submission._tcp.mx.example.org,target.srv.test,$port,10"
  "--address=/odd.srv.test/127.0.0.61" "--address=/target.srv.test/127.0.0.60" "--srv-host=_submission._tcp.other.test,mx.example.org,$port"
  "--address=/mx.example.org/127.0.0.60")
zone+=("--local=/test/")
names_begin /dev/null "${zone[@]}"
peer_begin odd
far_name=mx.far.test
far_begin "listen_smtp = { \"127.0.0.60:$port\" }" 'listen_submission = {}'
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
outside_ready odd
for domain in far.test right.test wrong.test nowhere.test; do far domain add "$domain" >/dev/null; done
echo secret | far account add bob@far.test --password-stdin >/dev/null

for domain in right wrong; do echo secret | far account add "bob@$domain.test" --password-stdin >/dev/null; done
option tls_authorities "\"$dir/cert.pem\""
option routes "{ \"right.test srv:_submission._tcp.mx.example.org:$port tls=verified\", \"wrong.test srv:_submission._tcp.other.test:$port tls=verified\", \"nowhere.test srv:_submission._tcp.nowhere.test\" }"
sends_at "$dns" "$port"
serve
add alice

submit() { # SUBJECT RECIPIENT…
  python3 - "$submission" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", sys.argv[3:], "From: alice@example.org\r\nSubject: %s\r\n\r\nhi\r\n.dot\r\n" % sys.argv[2])
s.quit()
PY
}
taken() { grep -q "$1" "$dir/odd/taken"; }
far_has() { [ "$(far mail list bob@far.test | tail -n +2 | wc -l)" -ge "$1" ]; }
told() { rm -rf "$dir/mails"; q export alice@example.org "$dir/mails" >/dev/null && grep -rq -- "$1" "$dir/mails"; }
queued() { q queue list "to=$1" | grep -qE -- "$2"; }
gone() { local rows; rows=$(q queue list "to=$1") && ! grep -q '@' <<<"$rows"; }

ok "first thing in a fresh, confined process: to another Qasid, found by MX" submit first bob@far.test
ok "it arrives" within 20 far_has 1
ok "TLS was used, since it was offered" grep -qE 'event=sent .*to=bob@far.test.*tls=TLSv1' "$dir/log"
submit srv bob@right.test bob@wrong.test x@nowhere.test
srv_arrived() { [ "$(far mail list bob@right.test | tail -n +2 | wc -l)" -ge 1 ]; }
ok "SRV: to the server that it names, whose certificate is for the domain of the route (RFC 2782)" within 20 srv_arrived
ok "SRV: a certificate for the name in the record alone does not do" within 20 queued wrong.test 'certificate|verif|does not hold|hostname'
ok "SRV: nothing went there" eval '[ "$(far mail list bob@wrong.test | tail -n +2 | wc -l)" = 0 ]'
ok "SRV: no such service: it waits" within 20 queued nowhere.test 'its SRV records name no server'
ok "plan: a record with another port is passed over" eval 'q plan bob@right.test >"$dir/plan"; grep -q "left-out .*127.0.0.61 .*another port" "$dir/plan" && grep -q "tried .*127.0.0.60 .*(mx.example.org) .*tls=verified .*target.srv.test" "$dir/plan"'
submit_utf8() { # RECIPIENT: with SMTPUTF8
  python3 - "$submission" "$1" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", [sys.argv[2]], "From: alice@example.org\r\nSubject: j\u00f6rg\r\n\r\nhi\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"])
s.quit()
PY
}
submit unknown nobody@far.test
ok "an unknown recipient: the sender is told" within 20 told 'Final-Recipient: rfc822; nobody@far.test'
ok "with the other server's words" told 'Diagnostic-Code: smtp; 550 5.1.1'
submit good a@good.test b@good.test
ok "two recipients at one destination" within 20 taken '127.0.0.61 b@good.test Subject: good'
submit notls a@notls.test
ok "TLS that is none: in the clear, at once" within 20 taken '127.0.0.62 a@notls.test'
ok "and that is logged" grep -q 'event=no-tls' "$dir/log"
submit grey a@grey.test
ok "greylisting: it comes back" within 30 taken '127.0.0.63 a@grey.test'
submit half a@half.test
ok "250- and 550 are no success: sent again" within 30 taken '127.0.0.64 a@half.test'
submit cut a@cut.test
ok "no reply to the end of data is no success: sent again" within 30 taken '127.0.0.65 a@cut.test'
submit backup a@backup.test
ok "a server that is not well: the next by preference" within 20 taken '127.0.0.61 a@backup.test'
submit empty a@empty.test
ok "354 with no recipient: nothing of the message goes there" within 20 taken '^127.0.0.68 3$'
if grep -q . /proc/net/if_inet6 2>/dev/null; then
  submit family yes@both.test no@both.test
  ok "a policy reject by IPv6: IPv4 is asked, and takes it" within 20 taken '127.0.0.71 yes@both.test Subject: family'
  ok "both refuse: it counts" within 20 told 'Final-Recipient: rfc822; no@both.test'
  ok "each was asked once" eval '[ "$(grep -c "refused no@both.test" "$dir/odd/taken")" = 2 ] && [ "$(grep -c "::1 refused yes@both.test" "$dir/odd/taken")" = 1 ]'
  submit family a@half6.test
  ok "nobody answers by IPv4: what IPv6 said counts" within 20 told 'Final-Recipient: rfc822; a@half6.test'
  ok "with its words" told 'not welcome here'
fi
submit busy a@busy.test busy@busy.test b@busy.test
ok "421 to one of several recipients: the others have theirs" within 20 all 'taken "127.0.0.72 a@busy.test"' 'taken "127.0.0.72 b@busy.test"'
ok "and that one has its own reason" all 'queued busy@busy.test "421 4.7.0|too many connections"' 'grep -qE "event=deferred .*to=busy@busy.test .*stage=rcpt .*code=421" "$dir/log"' \
  '! grep -E "event=deferred .*to=[ab]@busy.test" "$dir/log"'
q queue drop to=busy.test >/dev/null
submit odd a@odd.test
ok "a reply that is none, each time: bounded, and its sender is told that it may be there" within 30 told 'may have taken the message'
ok "so often, and no more" eval 'sleep 3; [ "$(grep -c "127.0.0.73 a@odd.test" "$dir/odd/taken")" = 3 ] && gone odd.test'
ok "with the words, visibly" eval 'told "250 2.0.0 .x1b taken.n" && q queue history a@odd.test | grep -q "protocol.*not a reply of SMTP: .250 2.0.0"'
ok "the class is told" grep -qE 'event=deferred .*to=a@odd.test .*class=protocol' "$dir/log"
submit lost a@lost.test
ok "taken, and the 250 lost, each time: three copies, and its sender is told that it may be there" within 30 told 'Final-Recipient: rfc822; a@lost.test'
ok "so often, and no more" eval 'sleep 3; [ "$(grep -c "127.0.0.74 a@lost.test" "$dir/odd/taken")" = 3 ] && gone lost.test && [ "$(q queue history a@lost.test | grep -c "may have taken")" -ge 2 ]'
submit oddly a@oddly.test
ok "another server of the destination is asked, the second time" within 20 taken '127.0.0.61 a@oddly.test'
ok "then it is there" all 'within 10 gone oddly.test' '[ "$(grep -c "127.0.0.73 a@oddly.test" "$dir/odd/taken")" = 2 ]'
submit none a@no-such-domain.test
ok "a domain that is not there: returned at once" within 20 told 'Final-Recipient: rfc822; a@no-such-domain.test'
submit endless a@endless.test
ok "a reply without end is cut off, the mail waits" within 20 queued endless.test '250-xxxx'
submit dead a@dead.test
ok "nobody answers: it waits, with the reason" within 20 queued dead.test 'Connection refused'
submit live d@good.test
ok "and holds up nobody else" within 10 taken '127.0.0.61 d@good.test'
ok "the history says who said what" eval 'q queue history a@grey.test | grep -q "451" && q queue history a@grey.test | grep -q sent'
waits_for_a_host() { q queue show "$id" | grep -qE "back-off|host-dead"; }
id=$(q queue list to=dead.test | awk 'NR == 2 { print $1 }')
ok "queue show: its reason, between the attempts" within 20 waits_for_a_host
ok "queue show: the envelope, the attempts" eval 'q queue show "$id" | grep -q "alice@example.org" && q queue show "$id" | grep -q "Connection refused" && q --json queue show "$id" | python3 -c "import json, sys; r = json.load(sys.stdin); sys.exit(not (r[\"message\"] and r[\"recipients\"] and r[\"attempts\"]))"'
ok "queue body: the message as it is sent" eval 'q queue body "$id" | grep -q "^Subject: dead" && ! q queue body "$id" | grep -q "^Return-Path"'
why_tells() { q why "$id" | grep -q "arrived.*from client.test" && q why "$id" | grep -q "deferred.*Connection refused" && q why a@dead.test | grep -q "waits"; }
ok "why: from the session to the last attempt" within 20 why_tells
ok "classes are in the log" grep -qE 'event=deferred .*class=network' "$dir/log"
submit given-up a@dead.test
ok "queue fail: its sender is told" eval 'within 10 queued dead.test dead.test && q queue fail to=dead.test && within 20 told "administrator ended"'
submit dead a@dead.test
within 10 queued dead.test dead.test
usage() { "$@" >"$dir/usage" 2>&1; [ $? = 64 ]; }
ok "an unknown selector, and one given twice, are mistakes: nothing is dropped" all 'usage q queue drop bogus=1' 'grep -q older=TIME "$dir/usage"' 'usage q queue drop to=a to=dead.test' 'queued dead.test dead.test'
ok "dropped mail is gone" eval 'q queue drop to=dead.test >/dev/null && q queue drop to=endless.test >/dev/null && gone dead.test'
submit_utf8 jörg@far.test
ok "an unknown recipient beyond ASCII: people and programs read it" all "within 20 told 'Final-Recipient: utf-8; jörg@far.test'" "told '    <jörg@far.test>'"
# --- the reports, read by others ---
readers=$(dirname "$0")
told anything
python3 "$readers/read_reports.py" "$dir/mails" >"$dir/by-flufl"
perl "$readers/read_reports.pl" "$dir/mails" >"$dir/by-bounceparser"
ok "flufl.bounce reads each report" all 'grep -qx "failed nobody@far.test" "$dir/by-flufl"' 'grep -qx "failed a@no-such-domain.test" "$dir/by-flufl"' 'grep -qx "failed a@dead.test" "$dir/by-flufl"'
ok "Mail::DeliveryStatus::BounceParser reads each report" all 'grep -q "^nobody@far.test 5.1.1" "$dir/by-bounceparser"' 'grep -q "^a@no-such-domain.test 5\." "$dir/by-bounceparser"' 'grep -q "^a@dead.test 5.7.0" "$dir/by-bounceparser"'
ok "no process died" eval '! grep -q event=process-died "$dir/log"'

# --- deaths ---
role() { q --json status | python3 -c 'import json,sys; print([r["pid"] for r in json.load(sys.stdin)["processes"] if r["role"] == sys.argv[1]][0])' "$1"; }
slaughter() { local i; for ((i = 0; i < 6; i++)); do sleep 0.5; kill -9 "$(role sender)" 2>/dev/null; sleep 0.5; kill -9 "$(role store)" 2>/dev/null; done; }
slaughter & killer=$!
for ((i = 0; i < 40; i++)); do for ((try = 0; try < 50; try++)); do submit "m$i" "r$i@good.test" 2>/dev/null && break; sleep 0.2; done; done
wait "$killer"
all_there() { local i; for ((i = 0; i < 40; i++)); do taken "r$i@good.test" || return 1; done; }
ok "forty messages, with sender and store killed six times each: all arrive" within 60 all_there
ok "nothing is left in the queue" within 30 gone good.test
ok "the store is sound" within 20 q check
stop
option queue_lifetime 60
option dns_sender_questions_per_second 1
option dns_sender_open_questions 1
serve
submit over over@dead.test
submit after e@good.test
ok "after a restart" within 20 taken '127.0.0.61 e@good.test'
submit slowly f@good.test f@notls.test f@half.test f@backup.test
all_names() { taken f@good.test && taken f@notls.test && taken f@half.test && taken f@backup.test; }
ok "one name a second, one at a time: all go, none is put off" all 'within 30 all_names' '! grep -q "too much to do" "$dir/log"'

submit again g@good.test
ok "and sends" within 20 taken '127.0.0.61 g@good.test'

ok "its time in the queue is over: the sender is told, and what was tried" all "within 90 told 'It could not be delivered for 5[0-9] seconds'" "told 'Status: 4.4.7'" "told 'Connection refused'"
ok "so does the log" grep -qE 'event=expired .*to=over@dead.test.*tried="5[0-9] seconds".*reason=.*Connection refused' "$dir/log"
ok "why: it, and the report" all 'q why over@dead.test | grep -q "expired .*over@dead.test"' 'q why over@dead.test | grep -q "reported .*a report (failed), put into a mailbox: its id is report"'
python3 "$readers/read_reports.py" "$dir/mails" >"$dir/by-flufl"
perl "$readers/read_reports.pl" "$dir/mails" >"$dir/by-bounceparser"
ok "other readers take it for a failure" all 'grep -qx "failed over@dead.test" "$dir/by-flufl"' 'grep -q "^over@dead.test 4.4.7" "$dir/by-bounceparser"'
finish
