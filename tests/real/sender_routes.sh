#!/bin/bash
# Routes by account and by sender's domain: each customer's mail goes through that customer's smarthost with that customer's login, and
# with no other, at one and the same server, at the same time.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns port < <(free_ports 2)
names_begin /dev/null --mx-host=open.test,mx.open.test,10 --address=/mx.open.test/127.0.0.61 --local=/test/ --address=/mx.example.org/127.0.0.60
peer_begin odd
# the smarthost: another Qasid, which takes mail with a login; its mailboxes are the destinations
far_begin 'listen_smtp = {}' "listen_submission = { \"127.0.0.60:$port\" }" 'sender_check = off'
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
outside_ready odd
far domain add inside.test >/dev/null
for who in ann bob hub; do far account add "$who@inside.test" --password-stdin <<<"secret-$who" >/dev/null; done

option tls_authorities "\"$dir/cert.pem\""
sends_at "$dns" "$port"
routes() { sed -i '/^routes/d' "$dir/qasid.conf"; option routes "{ $1 }"; }
host=mx.example.org:$port
all="\"* $host\", \"account:alice@example.org $host login=ann@inside.test\", \"from:shop.example $host login=bob@inside.test\", \"open.test direct\""
routes "$all"
option route_passwords "\"$dir/logins\""
printf 'mx.example.org %s@inside.test secret-%s\n' ann ann bob bob hub hub >"$dir/logins"
chmod 600 "$dir/logins"
serve
for domain in example.org shop.example; do q domain add "$domain" >/dev/null; done
for who in alice@example.org carl@example.org dora@shop.example; do q account add "$who" --password-stdin <<<"secret" >/dev/null; done
q alias add team@shop.example ann@inside.test >/dev/null

submit() { # LOGIN SUBJECT RECIPIENT…
  python3 - "$submission" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login(sys.argv[2], "secret")
s.sendmail(sys.argv[2], sys.argv[4:], "From: %s\r\nSubject: %s\r\n\r\nhi\r\n" % (sys.argv[2], sys.argv[3]))
s.quit()
PY
}
plan() { q plan "$@" >"$dir/plan" 2>"$dir/said"; }
says() { grep -qE -- "$1" "$dir/plan" || { cat "$dir/plan" "$dir/said"; return 1; }; }

ok "plan: nobody's: by *" all 'plan x@inside.test' "says 'as hub@inside.test, by \"\\* .*no. 1 of routes'"
ok "plan: of an account" all 'plan x@inside.test --account alice@example.org' "says 'as ann@inside.test, by \"account:alice@example.org .*no. 2 of routes'"
ok "plan: of a sender's domain" all 'plan x@inside.test --from dora@shop.example' "says 'as bob@inside.test, by \"from:shop.example'"
ok "plan: the recipient's domain stands before both" all 'plan x@open.test --account alice@example.org' "says 'by its MX records .*by \"open.test direct\"'"
ok "plan: a domain of ours has no route" all 'plan carl@example.org --account alice@example.org' "says 'mailbox +ours'" "! grep -q route \"\$dir/plan\""
ok "plan: what is forwarded goes for the forwarder's domain, whoever wrote it" all 'plan team@shop.example --from x@else.test' "says 'envelope .*SRS0=.*@shop.example'" "says 'as bob@inside.test'"
ok "plan: no such account" eval '! plan x@inside.test --account nobody@example.org && grep -q "there is no account nobody@example.org" "$dir/said"'

for ((i = 0; i < 5; i++)); do
  submit alice@example.org "of-ann $i" ann@inside.test &
  a=$!
  submit carl@example.org "of-hub $i" ann@inside.test bob@inside.test &
  b=$!
  submit dora@shop.example "of-bob $i" ann@inside.test
  wait "$a" "$b"
done
arrived() { [ "$(far mail list ann@inside.test | tail -n +2 | wc -l)" -ge "$1" ]; }
ok "all of them arrive" within 30 arrived 15
# FROM LOGIN of each message that came to the smarthost
grep event=message "$dir/far-log" | sed -E 's/.* from=([^ ]+).* login=([^ ]+).*/\1 \2/' | sort | uniq -c >"$dir/by"
by() { grep -qE "^ +5 $1 $2@inside.test\$" "$dir/by" || { cat "$dir/by"; return 1; }; }
ok "each customer's by that customer's login" all "by alice@example.org ann" "by carl@example.org hub" "by dora@shop.example bob"
ok "and none by another's" eval '[ "$(wc -l <"$dir/by")" = 3 ]'

# --- a reload ---
printf 'mx.example.org %s@inside.test %s\n' ann wrong-secret bob secret-bob hub secret-hub >"$dir/logins"
q reload >/dev/null
submit alice@example.org "of-ann waits" bob@inside.test
waits() { q queue list to=inside.test | grep -qE 'login .*535'; }
ok "a login that is refused: that customer's mail waits, with the words" within 15 waits
ok "status names the login" eval 'q status | grep login-refused | grep -q ann@inside.test'
before=$(far mail list bob@inside.test | tail -n +2 | wc -l)
submit dora@shop.example "of-bob goes" bob@inside.test
went() { [ "$(far mail list bob@inside.test | tail -n +2 | wc -l)" -gt "$before" ]; }
ok "another's to the same domain goes meanwhile" within 15 went
ok "and hers still waits" eval '[ "$(q queue list to=inside.test | grep -c @inside.test)" = 1 ]'
routes "\"* $host\", \"from:shop.example $host login=bob@inside.test\""
printf 'mx.example.org %s@inside.test secret-%s\n' bob bob hub hub >"$dir/logins"
before=$(far mail list bob@inside.test | tail -n +2 | wc -l)
ok "the line is taken out: a reload" q reload
q queue retry to=inside.test >/dev/null
ok "what waited goes by the line that is left" within 15 went
routes "\"* $host\", \"from:shop.example $host\", \"From:shop.example direct\""
q check-config >"$dir/said" 2>&1
ok "check-config: two lines for one sender" grep -qE 'qasid.conf:[0-9]+: routes: no. 3 .*same mail as no. 2' "$dir/said"

# --- what is remembered of TLS is told of the row's own route ---
# 127.0.0.62 answers the handshake with rubbish, and takes mail in the clear: it is one sender's smarthost, and nobody else's.
routes "\"* $host\", \"from:shop.example [127.0.0.62]:$port\", \"account:carl@example.org [127.0.0.62]:$port tls=required\", \"open.test direct\""
printf 'mx.example.org hub@inside.test secret-hub\n' >"$dir/logins"
q reload >/dev/null
submit dora@shop.example "of-dora by rubbish" x@inside.test
ok "its TLS failed: in the clear" within 15 grep -q '127.0.0.62 x@inside.test Subject: of-dora by rubbish' "$dir/odd/taken"
q account set dora@shop.example messages-per-hour 1 >/dev/null
q account set alice@example.org messages-per-hour 1 >/dev/null
q account set carl@example.org messages-per-hour 1 >/dev/null
shows() { # LOGIN RECIPIENT: queue show of a message of theirs that the limit holds
  submit "$1" "held" "$2"
  within 10 eval "q queue list from=$1 to=$2 | grep -q held" || return 1
  id=$(q --json queue list "from=$1" "to=$2" | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["id"])')
  q queue show "$id" >"$dir/shown" || return 1
}
tls_shown() { grep -q 'TLS that failed' "$dir/shown" && grep -qE "^127.0.0.62 +$port" "$dir/shown"; }
ok "queue show: to one who goes by that smarthost" all 'shows dora@shop.example y@inside.test' tls_shown
ok "not to one who goes by another, to the same domain" all 'shows alice@example.org y@inside.test' '! tls_shown'
ok "nor to one whose route asks for TLS, where it does not count" all 'shows carl@example.org y@inside.test' '! tls_shown'
ok "nor for a domain with its own route" all 'shows dora@shop.example y@open.test' '! tls_shown'

# --- accounts that routes name ---
warned() { q "$@" >"$dir/said" 2>&1 && grep -q 'warning: no. 3 of routes ("account:carl@example.org' "$dir/said"; }
ok "account rename: its route is named" all 'warned account rename carl@example.org karl@example.org' 'grep -q "its old name" "$dir/said"'
ok "an account that none names: no warning" all 'q account delete karl@example.org --yes >"$dir/said" 2>&1' '! grep -q warning "$dir/said"'
q account add carl@example.org --password-stdin <<<"secret" >/dev/null
ok "account delete: likewise" warned account delete carl@example.org --yes
q account add carl@example.org --password-stdin <<<"secret" >/dev/null
printf 'address\ncarl@example.org\n' >"$dir/list"
ok "and of a file" warned account delete --from "$dir/list" --yes
ok "no process died" eval '! grep -q event=process-died "$dir/log"'
stop
finish
