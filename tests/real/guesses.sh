#!/bin/bash
# AU-1: guesses from one address and from hundreds, over real sockets, while people log in.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option connections_per_address 300
option plaintext_auth yes
add alice bob
serve

# A login is timed while guessers of passwords, each of them new, stand in line.
guessers() { # ADDRESSES CONNECTIONS-EACH WHO FROM SECONDS
  python3 - "$pop3" "$@" <<'EOF'
import socket, sys, time
port, addresses, each, who, source, most = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5], float(sys.argv[6])
def connect(source):
    s = socket.socket()
    s.settimeout(30)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    f = s.makefile("rb")
    assert f.readline().startswith(b"+OK")
    return s, f
def login(source):
    begin = time.monotonic()
    s, f = connect(source)
    s.sendall(b"USER %s@example.org\r\nPASS secret-%s\r\nQUIT\r\n" % (who.encode(), who.encode()))
    lines = f.read().split(b"\r\n")
    assert lines[1].startswith(b"+OK"), lines
    return time.monotonic() - begin
login(source)  # auth remembers this address from now on
held = []
for i in range(addresses * each):
    s, _ = connect("127.100.%d.%d" % (i % addresses // 250, 1 + i % addresses % 250))
    s.sendall(b"USER alice@example.org\r\nPASS guess-%d\r\n" % i)
    held.append(s)
took = [login(source) for _ in range(3)]
print("%d guesses stand in line, logins took %s" % (len(held), ", ".join("%.2f s" % t for t in took)))
assert max(took) < most, took
time.sleep(1)
# What was answered meanwhile.
answered = 0
for s in held:
    s.setblocking(False)
    try: answered += s.recv(4096).count(b"-ERR [AUTH]")
    except BlockingIOError: pass
print("%d of them are known to be wrong" % answered)
if addresses == 1: assert answered <= 10, answered # each waits twice as long as the one before
EOF
}
ok "a login that is known is quick beside 100 guesses from one address" guessers 1 100 bob 127.200.0.1 3
head -2 "$dir/out"
stop
serve
ok "a login that is known is quick beside guesses from 150 addresses" guessers 150 1 bob 127.200.0.1 3
head -2 "$dir/out"
finish
