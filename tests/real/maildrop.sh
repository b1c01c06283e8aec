#!/bin/bash
# The lock of a maildrop: dead peers are detected; messages that were marked when the connection was lost are logged;
# deleted messages are restored.
#   maildrop.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option undelete_time 7d
option pop3_steal_after 1s
option pop3_lock_wait 0
add alice bob
serve
python3 - "$smtp" "$pop3" >"$dir/said" 2>&1 <<'PY'
import hashlib, re, smtplib, socket, struct, subprocess, sys, time
smtp_port, pop_port = int(sys.argv[1]), int(sys.argv[2])
with smtplib.SMTP("127.0.0.1", smtp_port) as s:
    for n in range(3): s.sendmail("s@client.example", ["alice@example.org"], b"Subject: %d\r\n\r\nx\r\n" % n)
s = socket.create_connection(("127.0.0.1", pop_port))
f = s.makefile("rb")
def say(line):
    s.sendall(line + b"\r\n")
    return f.readline()
stamp = re.search(rb"<.*>", f.readline()).group()
assert say(b"APOP alice@example.org " + hashlib.md5(stamp + b"secret-alice").hexdigest().encode()).startswith(b"+OK")
assert say(b"DELE 1").startswith(b"+OK") and say(b"DELE 3").startswith(b"+OK")
for _ in range(40):  # until our acknowledgement has come, the timer is another
    seen = subprocess.run(["ss", "-Htno", "state", "established", "sport", "= :%d" % pop_port], capture_output=True, text=True).stdout
    if "keepalive" in seen: break
    time.sleep(0.1)
print(seen)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
f.close(); s.close()
for _ in range(50):  # the maildrop is let go when the server has seen the end
    s = socket.create_connection(("127.0.0.1", pop_port))
    f = s.makefile("rb")
    stamp = re.search(rb"<.*>", f.readline()).group()
    hello = say(b"APOP alice@example.org " + hashlib.md5(stamp + b"secret-alice").hexdigest().encode())
    if hello.startswith(b"+OK"): break
    s.close(); time.sleep(0.1)
assert say(b"DELE 2").startswith(b"+OK") and say(b"QUIT").startswith(b"+OK")
PY
ok "an accepted socket has keepalive on, first after a minute" grep -qE 'timer:\(keepalive,(5[0-9]|60|1min)' "$dir/said"
ok "the log tells whose marks were forgotten, and how many" \
  wait_log 'why=peer-gone-no-quit .*login=alice@example.org .*marked=2 deleted=0 .*forgotten=2'
python3 - "$pop3" >"$dir/said2" 2>&1 <<'PY'
import hashlib, re, socket, sys, time
class Pop:
    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        self.f = self.s.makefile("rb")
        self.stamp = re.search(rb"<.*>", self.f.readline()).group()
    def say(self, line):
        self.s.sendall(line + b"\r\n")
        return self.f.readline()
    def login(self):
        return self.say(b"APOP alice@example.org " + hashlib.md5(self.stamp + b"secret-alice").hexdigest().encode())
a, b = Pop(), Pop()
assert a.login().startswith(b"+OK") and a.say(b"DELE 1").startswith(b"+OK")
assert b.login().startswith(b"-ERR [IN-USE]")  # it was busy a moment ago
time.sleep(1.1)
assert b.login().startswith(b"+OK")
assert a.f.readline().startswith(b"-ERR [IN-USE]") and a.f.readline() == b""
assert b.say(b"STAT").startswith(b"+OK 2 ") and b.say(b"QUIT").startswith(b"+OK")
print("taken over")
PY
ok "a login takes the maildrop from an idle session, not from a busy one" grep -qx "taken over" "$dir/said2"
ok "the log says so of the one" wait_log 'why=taken-over .*login=alice@example.org .*marked=1 deleted=0 .*forgotten=1'
ok "and of the other" wait_log 'why=quit .*login=alice@example.org .*took_over=idle-session'
grep -q Traceback "$dir/said2" && cat "$dir/said2"
counts() { echo "$(q --json mail list alice@example.org | grep -o '"uid"' | wc -l) $(q --json mail deleted alice@example.org | grep -o '"uid"' | wc -l)"; }
uidls() { q --json mail "$1" alice@example.org | grep -o '"uidl": *"[^"]*"'; }
was=$(sort <(uidls list) <(uidls deleted))
ok "what QUIT deleted is kept" test "$(counts)" = "2 1"
ok "times are ISO in the table" eval 'q mail deleted alice@example.org | tail -1 | grep -qE "( +20[0-9]{2}-[0-9-]+T[0-9:]+Z){2}"'
ok "and in JSON" eval 'q --json mail deleted alice@example.org | grep -qE "\"deleted\": *\"20[0-9]{2}-[0-9-]+T[0-9:]+Z\""'
ok "a wrong time is named as that" eval 'q mail undelete alice@example.org --since 3x 2>&1 | grep -q -e "--since 3x: a time such as 3h or 2d is meant"'
ok "and a wrong number of days" eval 'q account set alice@example.org expire 2G 2>&1 | grep -q "a number of days such as 30d, never or default is meant"'
ok "the deleted message is brought back" q mail undelete alice@example.org --since 1h
ok "and is there again" test "$(counts)" = "3 0"
ok "with the UIDL that it had" is "$(uidls list | sort)" "$was"
ok "nothing is left to be brought back" q mail undelete alice@example.org --all
ok "a uid that was not deleted is refused" eval '! q mail undelete alice@example.org 1'
ok "the store is in order" q check
python3 - "$pop3" <<'PY'
import poplib, sys
p = poplib.POP3("127.0.0.1", int(sys.argv[1]), timeout=20)
p.apop("alice@example.org", "secret-alice"); p.dele(1); p.quit()
PY
ok "the deleted message is in a backup" q backup "$dir/backup.tar"
stop
rm -rf "$dir/data"
ok "and in what is made of it" q restore "$dir/backup.tar"
serve
ok "kept, not deleted" test "$(counts)" = "2 1"
ok "from which it comes back" q mail undelete alice@example.org --all
ok "whole" test "$(counts)" = "3 0"
ok "each with its UIDL" is "$(uidls list | sort)" "$was"
ok "the restored store is in order" q check
grep -q Traceback "$dir/said" && cat "$dir/said"

# --- what was read, and what was only opened ahead ---
python3 - "$smtp" "$pop3" >"$dir/said3" 2>&1 <<'PY'
import poplib, smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as s:  # each a file of its own, which store opens ahead
    for n in range(10): s.sendmail("s@client.example", ["bob@example.org"], b"Message-ID: <m%d@client.example>\r\n\r\n" % n + b"x" * 70 + b"\r\n" + b"y\r\n" * 20000)
def session(reads, quit):
    p = poplib.POP3("127.0.0.1", int(sys.argv[2]))
    p.apop("bob@example.org", "secret-bob")
    for n in reads: p.retr(n)
    p.quit() if quit else p.close()
session([1, 2, 3, 4], True)
session([6, 7, 8], False)
PY
read_of() { q --json why "m$1@client.example" | python3 -c 'import json,sys; print(sum(r["event"] == "pop3-read" for r in json.load(sys.stdin)))'; }
which_read() { local n; for n in 0 1 2 3 4 5 6 7 8 9; do echo "$n: $(read_of $n)"; done | tr '\n' ' '; }
reads_are() { # WANTED: the end of a connection that was cut comes by and by
  local i
  for ((i = 0; i < 30; i++)); do [ "$(which_read)" = "$1" ] && return 0; sleep 0.1; done
  cat "$dir/said3"
  is "$(which_read)" "$1"
}
ok "why says read of the messages that were read, and of no other" reads_are "0: 1 1: 1 2: 1 3: 1 4: 0 5: 1 6: 1 7: 1 8: 0 9: 0 "
finish
