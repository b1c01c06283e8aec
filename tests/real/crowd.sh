#!/bin/bash
# RS-1, RS-2: ten thousand connections; no descriptors left; too many from one address.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"

crowd() { # CONNECTIONS TO-PORT: holds them, from many addresses, and looks whether a newcomer is served
  python3 - "$1" "$2" <<'EOF'
import resource, socket, sys, time
count, port = int(sys.argv[1]), int(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
count = min(count, hard - 500) # a machine that gives fewer descriptors has a smaller crowd
held = []
for i in range(count):
    s = socket.socket()
    s.settimeout(20)
    s.bind(("127.%d.%d.%d" % (1 + i % 5, i // 250 % 200, 1 + i % 250), 0))
    s.connect(("127.0.0.1", port))
    held.append(s)
begin = time.monotonic()
new = socket.create_connection(("127.0.0.1", port), timeout=10)
greeting = new.recv(200)
took = time.monotonic() - begin
assert greeting.startswith((b"220 ", b"+OK ")), greeting
assert took < 4, took # at once, on a machine that has other work too
new.sendall(b"QUIT\r\n")
assert new.recv(200).startswith((b"221", b"+OK"))
dropped = 0
for s in held:
    s.settimeout(0.001)
    try:
        while s.recv(500): pass
        dropped += 1
    except TimeoutError: pass
    except OSError: dropped += 1
print("newcomer served in %.0f ms, %d of %d let go" % (took * 1000, dropped, count))
EOF
}

fds_of() { ls "/proc/$(pid_of "$1")/fd" | wc -l; }
settled() { # ROOM FDS: back to about what it held before
  local i
  for ((i = 0; i < 100; i++)); do
    [ "$(fds_of "$1")" -le "$(($2 + 2))" ] && return 0
    sleep 0.1
  done
  echo "$1 holds $(fds_of "$1") descriptors, $2 before"
  return 1
}

limit_lines() { # PATTERN MOST: at least one such line, and at most so many
  local n
  n=$(grep -cE "event=limit .*$1" "$dir/log")
  echo "$n lines"
  [ "$n" -ge 1 ] && [ "$n" -le "$2" ]
}

begin
add alice
option smtpd_processes 1
option pop3d_processes 1
ulimit -n "$(ulimit -Hn)"
serve
for process in smtpd pop3d; do
  port=$([ $process = smtpd ] && echo "$smtp" || echo "$pop3")
  before=$(fds_of $process)
  ok "$process: a newcomer is served beside 10,000 connections" crowd 10000 "$port"
  ok "$process: all descriptors are back" settled $process "$before"
done
stop

# With 300 descriptors a process, the oldest that is idle makes room.
: >"$dir/log" # what is waited for is in it already
(ulimit -n 300 && exec "$qasid_bin" -c "$dir/qasid.conf" serve 2>>"$dir/log") &
server=$!
wait_log 'event=ready'
ok "smtpd: a newcomer is served when descriptors run out" crowd 400 "$smtp"
ok "pop3d: likewise" crowd 400 "$pop3"
ok "the log says who made room" grep -qE 'why=(connection-limit|no-descriptors)' "$dir/log"
ok "and that a limit was hit, not once for each connection" limit_lines 'limit=(connection-limit|no-descriptors)' 4
stop

# One address.
option connections_per_address 3
serve
ok "the fourth connection from one address is turned away, its neighbour is not" python3 - "$smtp" <<'EOF'
import socket, sys
port = int(sys.argv[1])
def greeting(source):
    s = socket.socket()
    s.settimeout(5)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    held.append(s)
    return s.recv(200)
held = []
said = [greeting("127.0.9.1") for _ in range(4)]
assert [s[:4] for s in said[:3]] == [b"220 "] * 3, said
assert said[3].startswith(b"421 4.3.2 mx.example.org "), said # RFC 5321 4.2
assert greeting("127.0.9.2")[:4] == b"220 "
EOF
wait_log 'event=limit .*limit=address-limit'
ok "the log names the address" grep -qE 'event=limit session=[^ ]+ service=smtp client=127\.0\.9\.1 limit=address-limit .* count=1$' "$dir/log"
finish
