#!/bin/bash
# What the sender's options do: logins at a smarthost that are refused, time-outs, address literals; and how recipients are written in the log.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns port mx_port < <(free_ports 3)
zone=()
host() { zone+=("--mx-host=$1.test,mx.$1.test,10" "--address=/mx.$1.test/127.0.0.$2"); }
host slow 81; host quick 82; host silent 84
names_begin /dev/null "${zone[@]}" --local=/test/ --address=/mx.example.org/127.0.0.60
peer_begin slow
# the smarthost: another Qasid, which takes mail with a login at $port, and at $mx_port offers none
far_begin "listen_smtp = { \"127.0.0.60:$mx_port\" }" "listen_submission = { \"127.0.0.60:$port\" }" 'sender_check = off'
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
outside_ready slow
far domain add inside.test >/dev/null
far account add bob@inside.test --password-stdin <<<secret >/dev/null

option tls_authorities "\"$dir/cert.pem\""
sends_at "$dns" "$port"
option routes "{ \"inside.test mx.example.org:$port\", \"none.test mx.example.org:$mx_port\" }"
option route_passwords "\"$dir/logins\""
option sender_end_timeout 5
option sender_greeting_timeout 5
logins() { printf '%s\n' "$@" >"$dir/logins"; chmod 600 "$dir/logins"; }

# --- the file of logins ---
ends() { # CODE PATTERN COMMAND…
  local code=0 want=$1 pattern=$2
  shift 2
  "$@" >"$dir/said" 2>&1 || code=$?
  cat "$dir/said"
  [ "$code" = "$want" ] && grep -qE "$pattern" "$dir/said"
}
logins "# of the smarthost" "" "mx.exmaple.org bob@inside.test secret"
ok "check-config: a host that no route has is a mistake, with its line" ends 78 'logins:3: no line of routes has the host "mx.exmaple.org"' q check-config
logins "mx.example.org bob@inside.test"
ok "check-config: a line without a password is one" ends 78 'logins:1: "HOST USER PASSWORD" is meant' q check-config
logins "mx.example.org bob@inside.test wrong-secret"
ok "check-config: the file is right" ends 0 . q check-config
serve
add alice
logins "mx.exmaple.org bob@inside.test secret"
ok "reload: the mistake refuses it" ends 78 'no line of routes has the host "mx.exmaple.org"' q reload
logins "mx.example.org bob@inside.test wrong-secret"
ok "reload: right again" ends 0 'done' q reload

submit() { # SUBJECT RECIPIENT…
  python3 - "$submission" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", sys.argv[3:], "From: alice@example.org\r\nSubject: %s\r\n\r\nhi\r\n" % sys.argv[2])
s.quit()
PY
}
told() { rm -rf "$dir/mails"; q export alice@example.org "$dir/mails" >/dev/null && grep -rq -- "$1" "$dir/mails"; }
queued() { q queue list "to=$1" | grep -qE -- "$2"; }
checks() { local code=0; q status --check --ignore certificates --ignore disk >"$dir/said" || code=$?; cat "$dir/said"; [ "$code" = "$1" ] && grep -q -- "$2" "$dir/said"; }

# --- a login that is refused ---
submit login bob@inside.test
ok "a login that is refused: the mail waits, with the words" within 10 queued inside.test 'login .*535'
ok "the class is told" grep -qE 'event=deferred .*to=bob@inside.test .*stage=auth .*code=535 .*class=login' "$dir/log"
ok "status tells it" eval 'q status | grep "login-refused" | grep "mx.example.org" | grep -q 535'
ok "and judges it" checks 2 'refuses the login bob@inside.test of route_passwords'
ok "the postmaster has a mail" within 5 told 'Subject: Mail waits: the login at .mx.example.org.'
ok "which says what to do" all 'told "qasid reload"' 'told "login:  bob@inside.test"'
sleep 5
ok "one" eval 'told . && [ "$(grep -rl "Subject: Mail waits" "$dir/mails" | wc -l)" = 1 ]'
ok "and one line in the log for many attempts" eval '[ "$(grep -c event=login-refused "$dir/log")" = 1 ] && [ "$(grep -cE "event=deferred .*stage=auth" "$dir/log")" -ge 2 ]'
logins "mx.example.org bob@inside.test secret"
q reload >/dev/null
q queue retry to=inside.test >/dev/null
arrived() { [ "$(far mail list bob@inside.test | tail -n +2 | wc -l)" -ge 1 ]; }
ok "with the right password it goes" within 15 arrived
ok "and all is well" within 5 checks 0 OK
submit none bob@none.test
ok "a server that offers no login: a class of its own, and what is wrong" within 10 queued none.test 'no-login .*no way to log in \(no AUTH\)'
q queue drop to=none.test >/dev/null

# --- time-outs ---
start=$SECONDS
submit greeting a@silent.test
ok "sender_greeting_timeout" within 15 queued silent.test 'in time'
ok "not before" eval '[ $((SECONDS - start)) -ge 4 ]'
start=$SECONDS
submit end a@slow.test
ok "sender_end_timeout" within 15 queued slow.test 'in time'
ok "not before" eval '[ $((SECONDS - start)) -ge 4 ] && grep -qE "event=deferred .*to=a@slow.test .*stage=end" "$dir/log"'
q queue drop to=slow.test >/dev/null; q queue drop to=silent.test >/dev/null

# --- address literals ---
submit literal "a@[127.0.0.82]"
ok "an address in place of a domain: returned" within 10 told 'Final-Recipient: rfc822; a@\[127.0.0.82\]'
ok "with the option that allows it" told 'send_address_literals'
ok "plan says so" eval 'q plan "a@[127.0.0.82]" | grep -q "returned.*send_address_literals"'
option send_address_literals yes
q reload >/dev/null
submit literal "b@[127.0.0.82]"
ok "allowed, it goes there" within 10 grep -q '127.0.0.82 b@\[127.0.0.82\]' "$dir/slow/came"
sed -i "s/^send_private_addresses = .*/send_private_addresses = no/" "$dir/qasid.conf"
q reload >/dev/null
submit literal "c@[127.0.0.82]"
ok "but not into private networks" within 10 told 'Final-Recipient: rfc822; c@\[127.0.0.82\]'
ok "with the reason" told 'private network'
sed -i "s/^send_private_addresses = .*/send_private_addresses = yes/" "$dir/qasid.conf"
q reload >/dev/null

# --- how it is written ---
submit case "Bob.Smith@Quick.test"
ok "a recipient as it was given, its case kept" within 10 grep -qE 'event=sent .*to=Bob.Smith@[Qq]uick.test' "$dir/log"
ok "in the history, too" eval 'q queue history Bob.Smith@quick.test | grep -q Bob.Smith && q why Bob.Smith@quick.test | grep -q "sent.*Bob.Smith"'
submit case "Alice+Box@Example.org"
ok "of a recipient here, too" within 10 grep -qE 'event=recipient .*to=Alice\+Box@[Ee]xample.org .*verdict=accepted' "$dir/log"
# --- qasid send remembers that a server had TLS ---
send() { echo "Subject: s" | q send "smtp://127.0.0.1:$smtp" - --from x@client.test --to alice@example.org "$@"; }
ok "send: with TLS" send --ca "$dir/cert.pem"
ok "send: a server that had it is refused without" ends 77 'had TLS before' send --no-starttls
ok "send: unless one says that it is gone" ends 0 . send --no-starttls --tls-is-gone
ok "no process died" eval '! grep -q event=process-died "$dir/log"'
stop
finish
