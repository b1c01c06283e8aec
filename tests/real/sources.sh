#!/bin/bash
# The option source_addresses: mail leaves from these addresses, under the name of each; one of IPv6 without a PTR record is not
# used. DNS is dnsmasq's, the other servers are tests/real/odd_smtp.py's. In a network namespace, where this machine has the
# addresses 5.5.5.90 and 2a00:5::90: of loopback and private addresses no resolver looks for PTR records.
if [ "${2:-}" != inside ]; then
  if ! unshare -n true 2>/dev/null; then
    echo "sources: 0 passed, 0 failed, 1 skipped (no network namespace can be made here)"
    exit 0
  fi
  exec unshare -n "$0" "$1" inside
fi
ip link set lo up && ip addr add 5.5.5.90/32 dev lo && ip addr add 2a00:5::90/128 dev lo nodad || exit 1
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns port < <(free_ports 2)

zone=("--mx-host=good.test,mx.good.test,10" "--address=/mx.good.test/127.0.0.61" "--mx-host=both.test,mx.both.test,10"
  "--address=/mx.both.test/::1" "--address=/mx.both.test/127.0.0.71" "--mx-host=six.test,mx.six.test,10" "--address=/mx.six.test/::1"
  "--mx-host=example.org,mx.example.org,10" "--host-record=mx.example.org,127.0.0.1" "--host-record=out.example.org,5.5.5.90"
  "--ptr-record=90.5.5.5.in-addr.arpa,out.example.org"
  "--txt-record=example.org,v=spf1 ip4:5.5.5.90 -all" "--local=/test/" "--local=/example.org/" "--local=/arpa/")
names_begin /dev/null "${zone[@]}"
peer_begin odd
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
outside_ready odd

option dns_servers "{ \"127.0.0.1@$dns\" }"
option remote_port "$port"
option send_private_addresses yes
option plaintext_auth yes
option retry_first 1
option retry_most 1
option source_addresses '{ "5.5.5.90 out.example.org", "2a00:5::90 out6.example.org" }'
serve
add alice
submit() {
  python3 - "$submission" "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", sys.argv[2:], "From: alice@example.org\r\nSubject: s\r\n\r\nhi\r\n")
s.quit()
PY
}
taken() { grep -q "$1" "$dir/odd/taken"; }
came() { grep -qx "$1" "$dir/odd/peers"; }

submit a@good.test
ok "first, in a fresh confined sender: it arrives" within 20 taken '127.0.0.61 a@good.test'
ok "from that address, under its name" came '127.0.0.61 5.5.5.90 out.example.org'
has_source() { q --json status | python3 -c 'import json, sys; r = {x["counter"]: (x["value"], x["meaning"]) for x in json.load(sys.stdin)["sender"]}; v = r["source " + sys.argv[1]]; print(v); sys.exit(v[0] != int(sys.argv[2]) or sys.argv[3] not in v[1])' "$@"; }
ok "status: an address with its PTR record" within 10 has_source 5.5.5.90 1 'its PTR record: out.example.org'
ok "status: one of IPv6 without is not used" within 10 has_source 2a00:5::90 0 'it has no PTR record; it is not used'
ok "and that is logged" wait_log 'event=source-nameless .*2a00:5::90 has no PTR record' 50
submit yes@both.test
ok "a destination with both families: by IPv4" within 20 taken '127.0.0.71 yes@both.test'
ok "IPv6 was not tried" eval '! grep -q "^::1 " "$dir/odd/peers"'
submit x@six.test
waits() { q queue list to=six.test | grep -q 'none of source_addresses may be used'; }
ok "a destination with IPv6 only: it waits, with that reason" within 20 waits
ok "plan says so" eval 'q plan x@six.test >"$dir/plan"; grep -q "left-out .*source_addresses has none of this family" "$dir/plan"'
ok "plan: from where, and the probe comes from there" eval 'q plan x@good.test --probe >"$dir/plan" && grep -q "from 5.5.5.90" "$dir/plan" && grep -qE "probe +250 +RCPT" "$dir/plan" && [ "$(grep -cx "127.0.0.61 5.5.5.90 out.example.org" "$dir/odd/peers")" = 2 ]'
q domain check >"$dir/check" 2>&1
ok "domain check: the address and its PTR record are right" eval 'grep -qE "^ok +A +out.example.org" "$dir/check" && grep -qE "^ok +PTR +5.5.5.90" "$dir/check"'
ok "domain check: SPF is about the addresses that mail leaves from" eval 'grep -qE "^wrong +SPF" "$dir/check" && sed -i "s/.*/&/" "$dir/check"'
ok "domain check: what IPv6 lacks" eval 'grep -qE "^missing +AAAA +out6.example.org" "$dir/check" && grep -qE "^missing +PTR +2a00:5::90" "$dir/check"'
kill "$names"
wait "$names" 2>/dev/null
names_begin /dev/null "${zone[@]}" "--host-record=out6.example.org,2a00:5::90" "--ptr-record=0.9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.0.0.0.0.0.a.2.ip6.arpa,out6.example.org"
stop
serve
ok "with a PTR record IPv6 is used" within 10 has_source 2a00:5::90 1 'its PTR record: out6.example.org'
submit x@both.test
ok "  under its name" within 20 came '::1 2a00:5::90 out6.example.org'
ok "a wrong line is told" eval 'cp "$dir/qasid.conf" "$dir/wrong.conf"; echo "source_addresses = { \"here there\" }" >>"$dir/wrong.conf"; sed -i "0,/^source_addresses/{/^source_addresses/d}" "$dir/wrong.conf"; "$qasid_bin" -c "$dir/wrong.conf" check-config >"$dir/said" 2>&1; grep -q "source_addresses.*is not an address with a name" "$dir/said"'
ok "no process died" eval '! grep -q event=process-died "$dir/log"'
finish
