#!/bin/bash
# What an operator does with the data: backup, restore, export, import, check, aliases, quota, tracing.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
add alice bob
serve
cd "$dir"
send() { # TO SUBJECT
  printf 'From: <x@example.net>\r\nTo: <%s>\r\nSubject: %s\r\n\r\nbody of %s\r\nFrom the mbox point of view a trap\r\n' "$1" "$2" "$2" |
    curl -sS --mail-from x@example.net --mail-rcpt "$1" --upload-file - "smtp://localhost:$smtp"
}
for i in 1 2 3; do send alice@example.org "m$i"; done
yes "$(printf '%070d\r' 0)" | head -n 4200 >large
{ printf 'Subject: large\r\n\r\n'; cat large; } | curl -sS --mail-from x@example.net --mail-rcpt alice@example.org --upload-file - "smtp://localhost:$smtp"
ok "four messages" is "$(count_of alice)" 4
fetch_all() { curl -sS --cacert cert.pem --user "$1@example.org:secret-$1" "pop3s://localhost:$pop3s/$2"; }
uidls() { python3 - "$1" "$pop3" <<'EOF'
import poplib, sys
p = poplib.POP3("localhost", int(sys.argv[2]))
p.apop(sys.argv[1] + "@example.org", "secret-" + sys.argv[1])
print(*[l.split()[1].decode() for l in p.uidl()[1]])
p.quit()
EOF
}
ok "an alias" q alias add sales@example.org alice@example.org bob@example.org
ok "mail to it" send sales@example.org "to both"
ok "reaches the first" is "$(count_of alice)" 5
ok "and the second" is "$(count_of bob)" 1
ok "check is clean" q check

ok "export as Maildir" q export alice@example.org "$dir/box" --uidl "$dir/uidl.txt"
ok "five files" is "$(find box/cur box/new -type f | wc -l)" 5
ok "export as mbox" q export alice@example.org "$dir/alice.mbox"
q account add carol@example.org --password-stdin --legacy-auth <<<secret-carol >/dev/null
ok "import the Maildir with its UIDLs" q import carol@example.org "$dir/box" --uidl "$dir/uidl.txt"
ok "the UIDLs are kept: no client downloads twice" is "$(uidls carol)" "$(uidls alice)"
ok "the octets are kept" bash -c "cmp <(curl -sS --cacert cert.pem --user alice@example.org:secret-alice pop3s://localhost:$pop3s/4) <(curl -sS --cacert cert.pem --user carol@example.org:secret-carol pop3s://localhost:$pop3s/4)"
ok "importing again adds nothing" q import carol@example.org "$dir/box" --uidl "$dir/uidl.txt"
ok "still five" is "$(count_of carol)" 5

before=$(uidls alice)
ok "backup while serving" q backup "$dir/backup.tar"
ok "it is a tar archive" tar tf backup.tar
send alice@example.org "after the backup"
stop
mv data data.lost
ok "restore" q restore "$dir/backup.tar"
serve
ok "the mail of the backup is there, UIDLs and all" is "$(uidls alice)" "$before"
ok "the large message too" bash -c "curl -sS --cacert cert.pem --user alice@example.org:secret-alice pop3s://localhost:$pop3s/4 | tail -n +$(($(fetch_all alice 4 | wc -l) - $(wc -l <large) + 1)) | cmp - large"
ok "check is clean after the restore" q check
ok "compact while serving" q compact
ok "it is a store made anew" is "$(q status | awk '$1 == "database-free" || $1 == "compacted" { print $2 }' | xargs)" "0 1"
ok "and all is there" is "$(uidls alice)" "$before"
ok "in pages of today's size, with a map" is "$(od -An -j16 -N2 -tu1 data/store/database.sqlite | xargs) $(od -An -j52 -N4 -tu1 data/store/database.sqlite | xargs | grep -c '[1-9]')" "16 0 1"

"$qasid_bin" -c "$dir/qasid.conf" trace 127.0.0.1 >trace.out 2>&1 &
tracer=$!
sleep 0.5
fetch_all bob 1 >/dev/null
sleep 0.5
kill -INT $tracer
wait $tracer
ok "trace shows the conversation" grep -q 'RETR 1' trace.out
ok "and no password" no grep -q 'secret-bob' trace.out
ok "the log has no password" no grep -q 'secret-' log
ok "another program can't open the database meanwhile" bash -c "! sqlite3 data/store/database.sqlite 'select count(*) from sqlite_master' 2>/dev/null"
finish
