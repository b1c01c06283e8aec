#!/bin/bash
# `qasid plan`: whom an address leads to, where its mail would go, and (--probe) what the servers say, without sending.
# DNS is dnsmasq's, the other servers are tests/real/odd_smtp.py's.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns port < <(free_ports 2)

zone=("--mx-host=two.test,mx2.two.test,20" "--mx-host=two.test,mx1.two.test,10" "--mx-host=two.test,inside.two.test,30"
  "--address=/mx1.two.test/127.0.0.66" "--address=/mx2.two.test/127.0.0.61" "--address=/inside.two.test/10.0.0.1"
  "--mx-host=notls.test,mx.notls.test,10" "--address=/mx.notls.test/127.0.0.62"
  "--mx-host=us.test,mx.us.test,10" "--mx-host=us.test,mx.example.org,20" "--address=/mx.us.test/127.0.0.61" "--address=/mx.example.org/127.0.0.1"
  "--mx-host=stall.test,mx.stall.test,10" "--address=/mx.stall.test/127.0.0.70" "--server=/silent.test/127.0.0.99#9"
  "--mx-host=grey.test,mx.grey.test,10" "--address=/mx.grey.test/127.0.0.63"
  "--address=/smart.test/127.0.0.61" "--local=/test/")
names_begin /dev/null "${zone[@]}"
peer_begin odd
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
outside_ready odd

option dns_servers "{ \"127.0.0.1@$dns\" }"
option remote_port "$port"
option plaintext_auth yes
option retry_first 600
option listen_smtp "{ \"127.0.0.1:$smtp\", \"127.0.0.1:$port\" }"
sed -i "0,/^listen_smtp/{/^listen_smtp/d}" "$dir/qasid.conf"
option routes "{ \"smart.test smart.test:$port tls=none\", \".inside.test [127.0.0.61]:$port tls=required\" }"
serve
add alice
add bob
q alias add sales@example.org alice@example.org friend@two.test >/dev/null
q account forward bob@example.org bob@grey.test --keep >/dev/null
q domain add all.example >/dev/null
q alias add @all.example alice@example.org >/dev/null

plan() { q plan "$@" >"$dir/plan" 2>"$dir/said"; local code=$?; ! grep -qE 'Sanitizer|runtime error' "$dir/said" && return "$code"; }
says() { grep -qE -- "$1" "$dir/plan" || { cat "$dir/plan" "$dir/said"; return 1; }; }
before() { [ "$(grep -nE -m1 -- "$1" "$dir/plan" | cut -d: -f1)" -lt "$(grep -nE -m1 -- "$2" "$dir/plan" | cut -d: -f1)" ]; }
ends() { local want=$1; shift; plan "$@"; [ $? = "$want" ]; }

ok "first, in a fresh confined sender: elsewhere, by MX" all 'plan x@two.test' "says 'route +direct +two.test .*by its MX records port $port'" \
  "says 'dns +found .*MX'"
ok "an address of a private network is left out, and why" says 'address +left-out +127.0.0.66 .*send_private_addresses'
ok "all of them: it would be returned" says 'end +returned .*5.4.4'
ok "this server among the MX: what is no better is left out" all 'plan x@us.test' "says 'host +left-out +mx.example.org .*it is this server'"
ok "no such domain" all 'plan x@no-such.test' "says 'end +returned .*5.1.2'"
ok "an account" all 'plan alice@example.org' "says 'address +account'" "says 'mailbox +ours +.*it is put into this mailbox'"
ok "a subaddress" all 'plan alice+x@example.org' "says 'alice@example.org is an account here'"
ok "an unknown address of ours: 67" all 'ends 67 nobody@example.org' "says 'address +unknown'"
ok "a catch-all" all 'plan any@all.example' "says 'address +catch-all'" "says 'alice@example.org'"
ok "an alias: a mailbox, and one elsewhere" all 'plan sales@example.org --from carol@far.test' "says 'address +alias'" "says 'mailbox +ours'" \
  "says 'forwarded by sales@example.org'"
ok "its reverse-path is rewritten" says 'envelope +from +SRS0=.*=far.test=carol@example.org'
ok "a forward that keeps: both" all 'plan bob@example.org' "says 'mailbox +ours'" "says 'bob@grey.test'"
ok "a route to a smarthost, without MX" all 'plan x@smart.test' "says 'route +smarthost .*tls=none .*smart.test port $port, by \"smart.test'" \
  "says 'address +tried +127.0.0.61 '"
ok "a route to an address" all 'plan x@a.inside.test' "says 'address +tried +127.0.0.61 .*tls=required'"
ok "as JSON" eval 'q --json plan sales@example.org | python3 -c "
import json, sys
rows = json.load(sys.stdin)
sys.exit(not ([r for r in rows if r[\"step\"] == \"mailbox\"] and [r for r in rows if r[\"step\"] == \"address\" and r[\"recipient\"] == \"friend@two.test\"]))"'
ok "no control characters" ends 64 $'a\rb@two.test'

option send_private_addresses yes
q reload >/dev/null
wait_log 'event=ready.*sender|reload' 50
tried() { plan x@two.test && says 'address +tried +127.0.0.66'; }
ok "after a reload, with the option: they are tried, by preference" all 'within 20 tried' "before '127.0.0.66' '127.0.0.61'" "before '127.0.0.61' '10.0.0.1'"
ok "probe: the first is not well, the second takes it" all 'plan x@two.test --probe' "says 'probe +421 +greeting .*not now'" \
  "says 'probe +250 +RCPT'" "says 'probe +2.. +QUIT'"
ok "nothing was sent" eval '! grep -q two.test "$dir/odd/taken" 2>/dev/null'
ok "probe: greylisted" all 'plan g@grey.test --probe' "says 'probe +451 +RCPT .*greylisted'"
ok "probe: TLS that is none" all 'plan x@notls.test --probe' "says 'probe +220 +STARTTLS'" "says 'probe +TLS '"
ok "probe: TLS is required and not offered" all 'plan x@a.inside.test --probe' "says 'STARTTLS .*not offered'"

submit() {
  python3 - "$submission" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", sys.argv[2:], "From: alice@example.org\r\nSubject: s\r\n\r\nhi\r\n")
s.quit()
PY
}
submit a@notls.test
within 20 grep -q 'event=no-tls' "$dir/log"
ok "TLS that failed is remembered, with its reason" all 'plan x@notls.test' "says 'address +tried +127.0.0.62 .*tls=none .*TLS failed there \(.+\) and is tried again in 25[0-9]+ s'"
submit a@stall.test
listed() { q queue list "to=$1" >"$dir/plan" && says "$2"; }
ok "queue list: in session N, of which the log has the number too" within 10 listed stall.test 'in-session .*in session [0-9]+; not tried yet'
submit a@notls.test a@grey.test
within 20 grep -qE 'event=sent .*to=a@notls.test.* session=[0-9]+|event=sent .*session=[0-9]+ .*to=a@notls' "$dir/log"
id=$(q queue list to=grey.test | awk 'NR == 2 { print $1 }')
ok "queue show: TLS that failed at servers of its recipients" all 'q queue show "$id" >"$dir/plan"' "says '127.0.0.62 +$port +20[0-9-]+T[0-9:]+Z .+'"
ok "queue show --json: likewise" eval 'q --json queue show "$id" | python3 -c "import json, sys; t = json.load(sys.stdin)[\"tls\"]; sys.exit(not (len(t) == 1 and t[0][\"why\"]))"'
within 20 grep -q 'event=deferred' "$dir/log"
ok "mail that waits there" all 'plan x@grey.test' "says 'queue +back-off .*tried again in'"
submit a@silent.test
ok "queue list: waiting for DNS" within 10 listed silent.test waiting-for-dns
ok "by that reason" eval '[ "$(q queue list reason=waiting-for-dns | grep -c @silent.test)" = 1 ]'
ok "no process died" eval '! grep -q event=process-died "$dir/log"'
stop

# --- exchangers that are aliases ---
read -r lies < <(free_ports 1)
mkdir "$dir/lies"
python3 "$(dirname "$0")/dns_server.py" "$lies" "$dir/lies" >"$dir/lies/out" 2>&1 &
names="$names $!"
for ((i = 0; i < 100; i++)); do grep -qs ready "$dir/lies/out" && break; sleep 0.1; done
sed -i "s/^dns_servers.*/dns_servers = { \"127.0.0.1@$lies\" }/" "$dir/qasid.conf"
serve
ok "an exchanger that is an alias (CNAME) is taken by the name that MX has" all 'plan x@onemx.w.example' "says 'address +tried +127.0.0.61 .*\(alias61.w.example\)'"
ok "a domain that is an alias" all 'plan x@same.w.example' "says 'address +tried +127.0.0.61 .*\(alias61.w.example\)'"
ok "more aliases than are followed: it waits" all 'plan x@manymx.w.example' "says 'end +waits .*4.4.3'"
ok "aliases in a circle: it waits" all 'plan x@loopmx.w.example' "says 'end +waits .*4.4.3'"
ok "beside one that is right: that one" all 'plan x@goodmx.w.example' "says 'host +left-out +loopa.w.example .*could not be looked up'" "says 'address +tried +127.0.0.61 '"
submit a@onemx.w.example
ok "mail goes through an alias" within 20 grep -q '127.0.0.61 a@onemx.w.example' "$dir/odd/taken"
stop
sed -i '/^send_private/d' "$dir/qasid.conf"
ok "no server runs: 75, and whom it leads to all the same" all 'ends 75 sales@example.org' "says 'mailbox +ours'" "says 'no sender runs'"
finish
