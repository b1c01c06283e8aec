#!/bin/bash
# Input that ends front-ends: whoever sends it is found and refused, by each of them and by those that start later; everybody
# else is served all the while. Needs a build with test hooks: there certain octets end the process.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
if ! grep -aq qasid-test-die "$qasid_bin"; then
  echo "skipped: $qasid_bin has no test hooks"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
option smtpd_processes 2
option pop3d_processes 2
option plaintext_networks '{ "127.0.0.0/8" }'
add alice
serve
cat >"$dir/from.py" <<'PY'
import socket, sys
port, source, text = int(sys.argv[1]), sys.argv[2], sys.argv[3].encode().decode("unicode_escape").encode()
s = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
got = s.recv(1000)
if got and text: s.sendall(text)
while text:
    try: more = s.recv(65536)
    except OSError: break
    if not more: break
    got += more
print(got.decode().replace("\r\n", "|"))
PY
from() { python3 "$dir/from.py" "$@"; }
works() { from "$pop3" 127.0.0.1 'USER alice@example.org\r\nPASS secret-alice\r\nSTAT\r\nQUIT\r\n' | grep -qF '|+OK 0 0|'; }
deaths() { grep -c 'event=process-died' "$dir/log"; }
dies() { # PORT: and it is in the log
  local before i
  before=$(deaths)
  from "$1" 127.0.0.7 'qasid-test-die\r\n' >/dev/null
  for ((i = 0; i < 200; i++)); do [ "$(deaths)" -gt "$before" ] && return 0; sleep 0.1; done
  return 1
}
ok "an address is served" grep -q '^220 ' <(from "$smtp" 127.0.0.7 'QUIT\r\n')
ok "its input ends a front-end" dies "$smtp"
ok "it is served still: once may be chance" grep -q '^+OK' <(from "$pop3" 127.0.0.7 'QUIT\r\n')
ok "others are served" works
ok "its input ends another one" dies "$pop3"
ok "it is named in the log" wait_log 'event=offender .*client=127.0.0.7' 200
for i in 1 2; do
  ok "it is refused" is "$(for p in "$smtp" "$pop3"; do from "$p" 127.0.0.7 ''; done | tr -d '\n')" ""
  ok "others are served" works
done
ok "the log says why" wait_log 'event=closed .*client=127.0.0.7 why=offender' 100
kill -9 "$(pid_of smtpd)"
wait_log 'smtpd-[0-9]* was ended by signal 9' 100
ok "by processes that start later, too" is "$(for i in 1 2 3; do from "$smtp" 127.0.0.7 ''; done | tr -d '\n')" ""
ok "nobody else is refused" is "$(grep -c event=offender "$dir/log")" 1
ok "others are served" works
finish
