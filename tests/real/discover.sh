#!/bin/bash
# `qasid fetch ADDRESS`: the server is found in DNS (RFC 6186), and what DNS says is not simply believed.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
add alice
serve
read -r dns nobody < <(free_ports 2)
cd "$dir" || exit 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=wide -keyout wide.key -out wide.pem \
  -addext "subjectAltName=DNS:mx.example.org,DNS:mail.example.org,DNS:pop.provider.example" 2>/dev/null
sed -i "s,cert.pem,wide.pem,; s,key.pem,wide.key," qasid.conf
q reload >/dev/null || { stop; serve; }
# mail.example.org is asked first, at a port where nobody is; then at the right one. s.example has STLS only; r.example no POP3.
dnsmasq -k -C /dev/null -u "$(id -un)" --port="$dns" --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --pid-file= \
  --local=/example.org/ --local=/example/ --host-record=mail.example.org,127.0.0.1 --host-record=pop.provider.example,127.0.0.1 \
  --srv-host=_pop3s._tcp.example.org,mail.example.org,"$nobody",0 --srv-host=_pop3s._tcp.example.org,mail.example.org,"$pop3s",10 \
  --srv-host=_pop3._tcp.s.example,pop.provider.example,"$pop3",0 \
  --srv-host=_pop3s._tcp.r.example --srv-host=_pop3._tcp.r.example 2>dnsmasq.err &
dnsmasq=$!
trap 'kill "$dnsmasq" 2>/dev/null; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
printf 'dns_servers = { "127.0.0.1@%s" }\ndns_timeout = 5\n' "$dns" >client.conf
for ((i = 0; i < 100; i++)); do "$qasid_bin" -c client.conf dns lookup mail.example.org >/dev/null 2>&1 && break; sleep 0.05; done

get() { # CODE ARGUMENT…: without a terminal
  local want=$1
  shift
  echo secret-alice | setsid -w "$qasid_bin" -c client.conf fetch --ca wide.pem --password-stdin "$@" >got 2>said
  local code=$?
  [ "$code" = "$want" ] || { echo "ended with $code, not $want"; cat said; return 1; }
}
says() { grep -q -- "$1" said || { cat said; return 1; }; }
ok "found by SRV, the second host after the first did not answer" get 0 --list alice@example.org
ok "the whole address is the user" within 5 grep -q login=alice@example.org log
ok "a host outside of the domain is not believed" get 77 --list alice@s.example
ok "and is named" says "pop.provider.example"
ok "unless it is named" get 77 --list --server pop.provider.example alice@s.example
ok "the user there is another's" says "refused the name or password"
ok "STLS was a must" bash -c "grep -q 'service=pop3 .*tls=TLS' log"
ok "another name is not it" get 77 --list --server other.example alice@s.example
ok "a domain without POP3" get 67 --list alice@r.example
ok "which it says itself" says "not fetched by POP3"
ok "a domain that says nothing" get 67 --list alice@mail.example.org
ok "asks for a URL" says "name the server"
ok "what is not an address" get 64 --list alice
ok "nor this" get 64 --list @example.org
finish
