#!/bin/bash
# `qasid domain check` against a name server of our own: all right, nothing there, and each record wrong by itself.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../outside.sh"
begin
read -r dns < <(free_ports 1)
option dns_servers "{ \"127.0.0.1@$dns\" }"
q domain add example.org >/dev/null
trap 'outside_end; rm -rf "$dir"' EXIT
dns() { # the zone, from standard input
  cat >"$dir/zone"
  [ -z "$names" ] || { kill "$names"; wait "$names" 2>/dev/null; }
  names_begin "$dir/zone" --local=/org/ --local=/arpa/
  for ((i = 0; i < 100; i++)); do q dns lookup up.org >/dev/null 2>&1 && return; sleep 0.1; done
}
good() {
  cat <<ZONE
address=/up.org/11.1.2.9
address=/mx.example.org/11.1.2.3
ptr-record=3.2.1.11.in-addr.arpa,mx.example.org
mx-host=example.org,mx.example.org,10
txt-record=example.org,"v=spf1 mx -all"
txt-record=example.org,"another=record"
txt-record=_dmarc.example.org,"v=DMARC1; p=reject"
srv-host=_submissions._tcp.example.org,mx.example.org,465
srv-host=_submission._tcp.example.org,mx.example.org,587
srv-host=_pop3s._tcp.example.org,mx.example.org,995
ZONE
  q dkim list --records | sed -E 's/^([^ ]+)\. TXT (.*)$/txt-record=\1,\2/; s/" "/","/g'
}
good >"$dir/good"
check() { q domain check example.org >"$dir/check"; }
says() { # CODE PATTERN
  check
  local code=$?
  [ "$code" = "$1" ] && grep -qE -- "$2" "$dir/check" && return
  echo "ended with $code; looked for $2"
  cat "$dir/check"
  return 1
}

dns <"$dir/good"
ok "all is right" says 0 '^ok +DKIM +.*-ed._domainkey.example.org'
ok "nothing is to be published" no grep -q publish "$dir/check"
ok "as JSON" eval 'q --json domain check | json "len(r) == 10 and all(x[\"state\"] == \"ok\" for x in r)"'
ok "a domain that is not ours" no q domain check example.net

sed -E 's/^ptr-record.*/ptr-record=3.2.1.11.in-addr.arpa,pool-3.isp.org/; s/v=spf1 mx -all/v=spf1 ip4:11.1.2.4 -all/; s/(k=ed25519; p=)./\1x/' \
  "$dir/good" | grep -v '^mx-host\|^srv-host=_pop3s' >"$dir/bad"
dns <"$dir/bad"
ok "what is wrong is named, with what to publish: the address's name" says 65 '^ +publish: +3.2.1.11.in-addr.arpa. PTR mx.example.org.'
ok "the mail exchanger" grep -q 'publish: *example.org. MX 10 mx.example.org.$' "$dir/check"
ok "SPF" all 'grep -q "^wrong *SPF *example.org" "$dir/check"' 'grep -q "there is: v=spf1 ip4:11.1.2.4 -all" "$dir/check"'
ok "the Ed25519 key, and not the RSA one" all 'grep -q "^wrong *DKIM *.*-ed._domainkey" "$dir/check"' 'grep -q "^ok *DKIM *.*-rsa._domainkey" "$dir/check"'
ok "a service" grep -q 'publish: *_pop3s._tcp.example.org. SRV 0 1 995 mx.example.org.$' "$dir/check"
{ grep -v dmarc "$dir/good"; echo 'txt-record=example.org,"v=spf1 a -all"'; } >"$dir/bad"
dns <"$dir/bad"
ok "two SPF records, no DMARC" says 65 '^wrong +SPF'
ok "each by itself" grep -q 'publish: *_dmarc.example.org. TXT "v=DMARC1; p=quarantine"$' "$dir/check"
echo 'address=/up.org/11.1.2.9' >"$dir/nothing"
dns <"$dir/nothing"
ok "nothing is there" says 65 '^ +publish: +mx.example.org. A ADDRESS'
option dns_timeout 1
kill "$names"
ok "no answer is not the same as wrong" says 75 '^unknown +MX'
finish
