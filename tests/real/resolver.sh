#!/bin/bash
# The resolver of a running server, in its sandbox: what it answers, what it proves, that it comes back, and that a reload
# makes it read everything again. The name servers: tests/real/dns_server.py.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
read -r dns other < <(free_ports 2)
mkdir "$dir/one" "$dir/two"
python3 "$(dirname "$0")/dns_server.py" "$dns" "$dir/one" "$pop3s" >"$dir/one/out" 2>&1 &
one=$!
python3 "$(dirname "$0")/dns_server.py" "$other" "$dir/two" >"$dir/two/out" 2>&1 &
two=$!
trap 'kill "$one" "$two" 2>/dev/null; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
for ((i = 0; i < 100; i++)); do grep -qs ready "$dir/one/out" && grep -qs ready "$dir/two/out" && break; sleep 0.1; done

option collect_private_addresses yes
option collect_ports "{ \"$pop3s\", \"110\", \"995\" }"
option tls_authorities "\"$dir/cert.pem\""
cp "$dir/qasid.conf" "$dir/base.conf"
configure() { # LINE…: beside what every test server has
  { cat "$dir/base.conf"; printf '%s\n' "$@"; } >"$dir/qasid.conf"
}
configure "dns_servers = { \"127.0.0.1@$dns\" }" 'dns_timeout = 30' "dns_trust_anchor = \"$dir/one/anchor.key\""
serve

# lookup CODE NAME [KIND]: asked by the server's resolver, not here
lookup() {
  q dns lookup "${@:2}" >"$dir/hosts" 2>"$dir/said"
  local code=$?
  [ "$code" = "$1" ] && grep -q 'asked by the running server' "$dir/said" && return 0
  echo "ended with $code, not $1"; cat "$dir/said" "$dir/hosts"
  return 1
}
says() { grep -q -- "$1" "$dir/said" || { cat "$dir/said"; return 1; }; }
has() { grep -q -- "$1" "$dir/hosts" || { cat "$dir/hosts"; return 1; }; }
is_open() { [ "$(value open)" -ge 1 ]; }
value() { q --json status | python3 -c 'import json,sys; print([r["value"] for r in json.load(sys.stdin)["resolver"] if r["counter"] == sys.argv[1]][0])' "$1"; }
process() { q --json status | python3 -c 'import json,sys; print([r[sys.argv[1]] for r in json.load(sys.stdin)["processes"] if r["role"] == "resolver"][0])' "$1"; }

ok "addresses" all 'lookup 0 ok.w.example' 'has 127.0.0.2' "! says proven >/dev/null"
ok "services" all 'lookup 0 _pop3s._tcp.w.example srv' "has 'mx1.w.example  *995'"
ok "a thousand services, over TCP" all 'lookup 0 _many._tcp.w.example srv' 'has ok.w.example'
ok "no such name" lookup 67 nobody.w.example
ok "no answer" lookup 75 servfail.w.example
ok "DNSSEC: proven inside the sandbox" all 'lookup 0 host.signed.example' 'says "proven by DNSSEC"'
ok "DNSSEC: forged" lookup 76 forged.signed.example
ok "the hosts file, which it can no longer open" all 'lookup 0 localhost' 'has 127.0.0.1'
ok "what is counted" all 'is "$(value found)" 5' 'is "$(value no-name)" 1' 'is "$(value bogus)" 1' 'is "$(value open)" 0'
twenty() {
  local pids=() pid
  for ((i = 0; i < 20; i++)); do q dns lookup "ok.w.example" >/dev/null 2>&1 & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid" || return 1; done
}
ok "twenty at once" twenty
ok "asked from here instead" all 'q dns lookup --direct ok.w.example >"$dir/hosts" 2>"$dir/said"' "says '127.0.0.1@$dns'"

# --- for the collector: this server's own POP3 stands for the other server ---
add alice bob carol
for i in 1 2 3; do printf 'From x Thu Jan  1 00:00:00 1970\nSubject: %s\n\nx\n\n' "$i"; done >"$dir/three.mbox"
q import bob@example.org "$dir/three.mbox" >/dev/null
collect() { # ACCOUNT URL OPTION…: prints the number
  q --json account collect add "$1@example.org" "$2" --password-stdin "${@:3}" <<<secret-bob |
    python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["id"])'
}
result_of() { q --json account collect list | python3 -c 'import json,sys; print([r["result"] for r in json.load(sys.stdin) if str(r["id"]) == sys.argv[1]][0])' "$1"; }
ends_so() { # ID PATTERN
  local i
  for ((i = 0; i < 150; i++)); do grep -qE "$2" <<<"$(result_of "$1")" && return 0; sleep 0.1; done
  echo "wanted: $2; got: $(result_of "$1")"
  return 1
}
ok "a collection finds its host" ends_so "$(collect alice "pop3s://bob%40example.org@mx.example.org:$pop3s")" '^3 fetched$'
ok "a collection finds the service of a domain (RFC 6186)" ends_so "$(collect carol 'pop3s://bob%40example.org@mx.example.org' --discover)" '^3 fetched$'
ok "a domain that says it has none" ends_so "$(collect carol 'pop3://bob%40example.org@mx.example.org' --discover)" 'no such POP3 service'
ok "a host that is not there" ends_so "$(collect carol 'pop3s://bob@nobody.w.example')" 'nobody.w.example: no such name'
ok "a host nobody answers for" ends_so "$(collect carol 'pop3s://bob@servfail.w.example')" 'servfail.w.example: no answer now'
ok "a host whose address is forged" ends_so "$(collect carol 'pop3s://bob@forged.signed.example')" 'DNSSEC'

if [ "$(id -u)" = 0 ]; then
  ok "it has no rights and a user of its own" bash -c 'for p in $(pgrep -P "$0"); do
    tr "\0" " " <"/proc/$p/cmdline" | grep -q -- "--role resolver" || continue
    grep -q "^CapPrm:.*0000000000000000" "/proc/$p/status" && ! grep -q "^Uid:.0" "/proc/$p/status" && [ -z "$(ls -A "/proc/$p/root")" ] && exit 0
  done; exit 1' "$server"
fi

id=$(collect carol 'pop3s://bob@silent.w.example')
ok "a question is open" within 5 is_open
old=$(pid_of resolver)
kill -9 "$old"
ok "killed, what was open is for later" ends_so "$id" 'resolver (was|is being) restarted'
ok "killed, it is back" within 5 lookup 0 ok.w.example
ok "as another process" no is "$(pid_of resolver)" "$old"

number=$(process number) restarts=$(process restarts)
configure "dns_servers = { \"127.0.0.1@$other\" }" 'dns_timeout = 5'
q reload >/dev/null
kill "$one"
ok "a reload: other servers are asked" within 5 lookup 0 ok.w.example
ok "and without the anchor nothing is proven" all 'lookup 0 host.signed.example' '! says proven >/dev/null'
ok "it was started anew, which is no death" all "no is \"\$(process number)\" $number" "is \"\$(process restarts)\" $restarts" \
  "is \"\$(grep -c 'event=process-died.*resolver' \"\$dir/log\")\" 1"
configure "dns_servers = { \"127.0.0.1@$other\" }" 'dns_trust_anchor = "/nowhere/root.key"'
q reload >/dev/null
ok "an anchor that is not there: the running configuration stays" wait_log 'event=reload-refused .*/nowhere/root.key'
ok "and the resolver with it" lookup 0 ok.w.example
finish
