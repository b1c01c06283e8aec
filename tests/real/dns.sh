#!/bin/bash
# `qasid dns lookup` against name servers: dnsmasq, and one that lies in every way we know (tests/real/dns_server.py).
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
read -r dns real < <(free_ports 2)

python3 "$(dirname "$0")/dns_server.py" "$dns" "$dir" >"$dir/dns.out" 2>"$dir/dns.err" &
server_py=$!
dnsmasq -k -C /dev/null -u "$(id -un)" --port="$real" --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --pid-file= \
  --local=/d.example/ --srv-host=_pop3s._tcp.d.example,b.d.example,995,20 --srv-host=_pop3s._tcp.d.example,a.d.example,995,10,7 \
  --host-record=a.d.example,127.0.0.4,::4 --host-record=b.d.example,127.0.0.5 --srv-host=_pop3._tcp.d.example \
  --mx-host=d.example,a.d.example,10 --cname=c.d.example,a.d.example 2>"$dir/dnsmasq.err" &
dnsmasq=$!
trap 'kill "$server_py" "$dnsmasq" 2>/dev/null; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
for ((i = 0; i < 100; i++)); do grep -qs ready "$dir/dns.out" && break; sleep 0.1; done

conf() { # FILE PORT LINE…
  { echo "dns_servers = { \"127.0.0.1@$2\" }"; printf '%s\n' "${@:3}"; } >"$dir/$1.conf"
}
conf plain "$dns" 'dns_timeout = 10'
conf short "$dns" 'dns_timeout = 1'
conf half "$dns" 'dns_timeout = 4'
conf proven "$dns" 'dns_timeout = 10' "dns_trust_anchor = \"$dir/anchor.key\""
conf real "$real" 'dns_timeout = 10'
conf noanchor "$dns" 'dns_trust_anchor = "/nowhere/root.key"'
conf nobody 1 'dns_timeout = 2'

# lookup CONF CODE NAME [KIND]: its hosts as "host port priority weight addresses" lines in $dir/hosts, words in $dir/said
lookup() {
  "$qasid_bin" -c "$dir/$1.conf" dns lookup "${@:3}" >"$dir/hosts" 2>"$dir/said"
  local code=$?
  [ "$code" = "$2" ] || { echo "ended with $code, not $2"; cat "$dir/said" "$dir/hosts"; return 1; }
  ! grep -qE 'Sanitizer|runtime error' "$dir/said"
}
hosts_are() { is "$(awk 'NR > 1 {$1 = $1; print}' "$dir/hosts")" "$1"; }
says() { grep -q -- "$1" "$dir/said" || { cat "$dir/said"; return 1; }; }

# --- a real server ---
ok "dnsmasq: services in their order, with addresses" all 'lookup real 0 _pop3s._tcp.d.example srv' \
  "hosts_are 'a.d.example 995 10 7 ::4 127.0.0.4
b.d.example 995 20 0 127.0.0.5'"
ok "dnsmasq: no such service (RFC 2782 \".\")" all 'lookup real 67 _pop3._tcp.d.example srv' "says 'no such service'"
ok "dnsmasq: mail exchangers" all 'lookup real 0 d.example mx' "hosts_are 'a.d.example 0 10 0 ::4 127.0.0.4'"
ok "dnsmasq: addresses through an alias" all 'lookup real 0 c.d.example' "hosts_are 'c.d.example 0 0 0 ::4 127.0.0.4'"
ok "dnsmasq: no such name" all 'lookup real 67 nobody.d.example' "says 'no such name'"
ok "dnsmasq: nothing of that kind" all 'lookup real 67 a.d.example srv' "says 'nothing of that kind'"

# --- what answers mean ---
ok "addresses" all 'lookup plain 0 ok.w.example' "hosts_are 'ok.w.example 0 0 0 ::2 127.0.0.2'"
ok "case and a closing dot do not matter" all 'lookup plain 0 OK.W.Example.' "hosts_are 'ok.w.example 0 0 0 ::2 127.0.0.2'"
ok "services by priority, names in lower case" all 'lookup plain 0 _pop3s._tcp.w.example srv' \
  "hosts_are 'mx1.w.example 995 10 0 127.0.0.3
ok.w.example 2995 20 0 ::2 127.0.0.2'"
ok "a service whose host has no address" all 'lookup plain 67 _none._tcp.w.example srv' "says 'nothing of that kind'"
ok "mail exchangers by preference" all 'lookup plain 0 w.example mx' "hosts_are 'mx1.w.example 0 10 0 127.0.0.3
mx2.w.example 0 20 0 ::3'"
ok "no mail for this domain (RFC 7505)" all 'lookup plain 67 null.w.example mx' "says 'no such service'"
ok "no MX: the name itself (RFC 5321 5.1)" all 'lookup plain 0 ok.w.example mx' "says 'takes its mail itself'" \
  "hosts_are 'ok.w.example 0 0 0 ::2 127.0.0.2'"
ok "an address is not a name" all 'lookup plain 64 192.0.2.1' "says 'not a host name'"
ok "as JSON" all 'lookup plain 0 --json ok.w.example' \
  "is \"\$(python3 -c 'import json,sys; print(json.load(sys.stdin)[0][\"addresses\"])' <\"\$dir/hosts\")\" '::2 127.0.0.2'"
ok "the hosts file comes first" all 'lookup nobody 0 localhost' "grep -q '127.0.0.1' \"\$dir/hosts\""
ok "no name server there: try later" lookup nobody 75 ok.w.example
ok "1000 services over TCP: the best 16" all 'lookup plain 0 _many._tcp.w.example srv' \
  "is \"\$(awk 'NR > 1 {print \$3}' \"\$dir/hosts\" | tr '\n' ' ')\" '$(seq -s ' ' 1 16) '"
ok "one host of a service is silent: the other is found" all 'lookup half 0 _half._tcp.w.example srv' \
  "hosts_are 'silent.w.example 995 1 0 (no answer now)
ok.w.example 995 2 0 ::2 127.0.0.2'"

# --- malice ---
ok "CNAME chain of 17 (DN-1)" lookup plain 75 c0.w.example
ok "CNAME chain of 7" all 'lookup plain 0 c10.w.example' "hosts_are 'c10.w.example 0 0 0 ::2 127.0.0.2'"
ok "CNAME loop (DN-1)" lookup plain 75 loopa.w.example
ok "names with %n, NUL, dots inside labels are nobody's" all 'lookup plain 75 _foul._tcp.w.example srv' 'lookup plain 75 _dot._tcp.w.example srv'
ok "MX and SRV data cut short (DN-8)" all 'lookup plain 75 short.w.example mx || lookup plain 67 short.w.example mx' \
  'lookup plain 75 _short._tcp.w.example srv || lookup plain 67 _short._tcp.w.example srv'
# Side by side: each takes the whole second.
later='silent servfail refused notimp empty short header garbage echo wrongid othername self forward pointers label count length stall otherport'
asked=()
for word in $later; do
  ("$qasid_bin" -c "$dir/short.conf" dns lookup "$word.w.example" >"$dir/$word.said" 2>&1; echo $? >"$dir/$word.code") &
  asked+=($!)
done
wait "${asked[@]}"
for word in $later; do
  ok "malice: $word (DN-2 to DN-6): try later" all "cat \"\$dir/$word.said\"" "is \"\$(cat \"\$dir/$word.code\")\" 75" \
    "! grep -E '6\.6\.6|Sanitizer|runtime error' \"\$dir/$word.said\""
done
for word in otherowner rdlength; do
  ok "malice: $word: not believed" all "lookup short 67 $word.w.example || lookup short 75 $word.w.example" "! grep -q 6.6.6 \"\$dir/hosts\""
done
ok "fifty lies with wrong ids, then the truth (DN-4)" all 'lookup plain 0 race.w.example' "hosts_are 'race.w.example 0 0 0 127.0.0.9'"

# --- DNSSEC ---
ok "DNSSEC: proven" all 'lookup proven 0 host.signed.example' "says 'proven by DNSSEC'"
ok "DNSSEC: a service with its host" all 'lookup proven 0 _pop3s._tcp.signed.example srv' "says 'proven by DNSSEC'" \
  "hosts_are 'host.signed.example 995 1 2 ::7 127.0.0.7'"
ok "DNSSEC: forged" all 'lookup proven 76 forged.signed.example' "says 'DNSSEC'"
ok "DNSSEC: signature taken away" lookup proven 76 bare.signed.example
ok "DNSSEC: signature out of date" lookup proven 76 old.signed.example
ok "DNSSEC: what is not signed is found, not proven" all 'lookup proven 0 ok.w.example' "! says proven >/dev/null"
ok "without an anchor nothing is proven" all 'lookup plain 0 host.signed.example' "! says proven >/dev/null"
ok "a missing anchor is named" all 'lookup noanchor 78 ok.w.example' "says '/nowhere/root.key'"

# --- what a configuration may not say ---
echo 'no key at all' >"$dir/garbage.key"
conf garbage "$dns" "dns_trust_anchor = \"$dir/garbage.key\""
ok "an anchor of garbage is named" all 'lookup garbage 78 ok.w.example' "says garbage.key"
check() { "$qasid_bin" -c "$dir/$1.conf" check-config >"$dir/said" 2>&1; }
ok "check-config sees it" all 'no check garbage' "says 'dns_trust_anchor: .*garbage.key'"
ok "check-config sees a missing one" all 'no check noanchor' "says 'dns_trust_anchor: .*/nowhere/root.key'"
ok "check-config likes a good one" check proven
conf wrong "$dns@x"
ok "a wrong server is said at its line" all 'lookup wrong 78 ok.w.example' "says 'dns_servers'"
finish
