#!/bin/bash
# A store whose pages are overwritten, each in turn: `qasid salvage` never crashes, and finds every message that does
# not touch the damaged page. Then: the log of a server that was killed, body files alone, an export around what
# cannot be read.
#   salvage.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
work=$(mktemp -d /dev/shm/qasid-salvage.XXXXXX 2>/dev/null || mktemp -d)
trap 'stop >/dev/null 2>&1; rm -rf "$dir" "$work"' EXIT
up() {
  : >"$dir/log"
  serve
}
add alice bob carol
up
python3 - "$smtp" <<'EOF2'
import smtplib, sys
s = smtplib.SMTP("localhost", int(sys.argv[1]))
sizes = [300, 3000, 15000, 17000, 28000, 700, 31000, 16300, 9000, 200000, 24000, 20000]
for i in range(60):
    to = [["alice"], ["bob"], ["alice", "bob"], ["alice"]][i % 4]
    body = ("number %d " % i * (sizes[i % len(sizes)] // 9))
    lines = "\r\n".join(body[k:k + 70] for k in range(0, len(body), 70))
    s.sendmail("x@example.net", [t + "@example.org" for t in to], "Subject: m%d\r\n\r\n%s\r\n" % (i, lines))
s.quit()
EOF2
mkdir -p "$dir/box/cur" "$dir/box/new" "$dir/box/tmp"
for i in 1 2 3 4 5; do printf 'Subject: imported %s\n\nbody\n' $i >"$dir/box/new/$i.x"; echo -e "old-uidl-$i\t$i.x"; done >"$dir/uidls"
q import carol@example.org "$dir/box" --uidl "$dir/uidls" >/dev/null
# Some go again, so that pages are free.
python3 - "$pop3" <<'EOF2'
import poplib, sys
p = poplib.POP3("localhost", int(sys.argv[1]))
p.apop("alice@example.org", "secret-alice")
for n in (2, 3, 5, 8, 9): p.dele(n)
p.quit()
EOF2
# One is deleted and restored, and keeps its UIDL as text.
option undelete_time 1d
q reload >/dev/null
python3 - "$pop3" <<'EOF2'
import poplib, sys
p = poplib.POP3("localhost", int(sys.argv[1]))
p.apop("bob@example.org", "secret-bob")
p.dele(1)
p.quit()
EOF2
ok "one is restored" q mail undelete bob@example.org --all
mkdir "$dir/was"
for who in alice bob carol; do q export $who@example.org "$dir/was/$who@example.org" --uidl "$dir/was-$who" >/dev/null 2>&1; done
ok "it is refused while the server runs" is "$(q salvage "$dir/data" "$work/early" 2>/dev/null; echo $?)" 75
store_pid=$(pid_of store)
kill -9 "$server" "$store_pid"
wait "$server" 2>/dev/null
server=
for _ in $(seq 300); do
  kill -0 "$store_pid" 2>/dev/null || break
  sleep 0.1
done
export dir work
ok "the log has the newest pages" test "$(stat -c %s "$dir/data/store/database.sqlite-wal")" -gt 100000
ok "after a kill: from the log and the file" q salvage "$dir/data" "$work/killed"
suite salvage.py same "$work/killed"
cp -a "$dir/data/store" "$work/killed-store"
up
stop
ok "whole" q salvage "$dir/data" "$work/whole"
suite salvage.py same "$work/whole"
ok "from the database's file" q salvage "$dir/data/store/database.sqlite" "$work/file"
ok "a place that is not empty is refused" is "$(q salvage "$dir/data" "$work/whole" 2>/dev/null; echo $?)" 73
suite salvage.py pages "$qasid_bin"
suite salvage.py log "$qasid_bin" "$work/killed-store"
suite salvage.py bodies "$qasid_bin"

# --- the running server, and its export ---
victim=$(find "$dir/data/store/bodies" -type f -size +150k | head -1) # such a one is bob's
mv "$victim" "$dir/kept"
up
ok "export goes on, and ends with 65" is "$(q export bob@example.org "$dir/part" 2>"$dir/said"; echo $?)" 65
ok "and names what is missing" grep -qE "message [0-9]+ \(UIDL [0-9a-f]{16}\) can't be read and is left out" "$dir/said"
ok "the others are there" is "$(find "$dir/part" -type f | wc -l)" "$(($(find "$dir/was/bob@example.org" -type f | wc -l) - 1))"
stop
mv "$dir/kept" "$victim"

# --- back again ---
q account delete carol@example.org --yes >/dev/null 2>&1
q account add carol@example.org --password-stdin <<<new >/dev/null
ok "import brings it back" q import carol@example.org "$work/whole/carol@example.org" --uidl "$work/whole/carol@example.org.uidls"
ok "with its UIDLs" is "$(q --json mail list carol@example.org | python3 -c 'import json,sys; print(*[m["uidl"] for m in json.load(sys.stdin)])')" "old-uidl-1 old-uidl-2 old-uidl-3 old-uidl-4 old-uidl-5"
finish
