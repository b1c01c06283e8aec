#!/bin/bash
# Mailboxes in files: what other programs wrote comes over whole, what does not is named; again adds nothing;
# there and back; a user's tree that is set against root.
#   mailboxes.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
add alice bob carol dave erin frank grace
serve
cd "$dir"
import() { q import "$@" >out.txt 2>err.txt; }
said() { grep -qF -- "$1" err.txt || { cat err.txt; return 1; }; }
result() { cat out.txt; }
subjects() { # NAME: of all messages, in order
  python3 - "$pop3" "$1" <<'END'
import poplib, sys
p = poplib.POP3("localhost", int(sys.argv[1]))
p.apop(sys.argv[2] + "@example.org", "secret-" + sys.argv[2])
for n in range(len(p.list()[1])):
    print(*[l[9:].decode() for l in p.retr(n + 1)[1] if l.startswith(b"Subject: ")][:1], end=" ")
p.quit()
END
}

# --- the same UIDL for two ---
from='From a@example.net Thu Nov 26 20:07:09 2026'
printf '%s\nX-UIDL: abc\nSubject: one\n\n1\n\n%s\nX-UIDL: abc\nSubject: two\n\n2\n\n' "$from" "$from" >twins
ok "twins by X-UIDL" import alice@example.org twins --uidl-from x-uidl
ok "both are there" is "$(result) $(subjects alice)" "2 messages added one two "
ok "which is said" said "message 2: note: its UIDL is another message's"
ok "again" import alice@example.org twins --uidl-from x-uidl
ok "adds nothing" is "$(result)" "0 messages added, 2 there"
printf 'same\nsame\n' >same.uidls
ok "twins in a list" import bob@example.org twins --uidl same.uidls
ok "both too" is "$(result)" "2 messages added"
mkdir -p dove/cur dove/new dove/tmp
printf 'Subject: d1\n\n1\n' >dove/new/1.x && printf 'Subject: d2\n\n2\n' >dove/new/2.x
printf '3 V1 N3\n1 Pa:b :1.x\n2 Pa:b :2.x\n' >dove/dovecot-uidlist
ok "twins at Dovecot" import bob@example.org dove
ok "both again" is "$(result)" "2 messages added"
ok "a UIDL with a colon" grep -q ' a:b ' <(q mail list bob@example.org)
printf '%s\nX-UIDL: abc\nSubject: other\n\n3\n' "$from" >other
ok "another message under a used UIDL" import alice@example.org other --uidl-from x-uidl
ok "is added" is "$(result)" "1 message added"
printf 'one\n' >short.uidls
ok "a list that is too short" is "$(import grace@example.org twins --uidl short.uidls; echo $?)" 65

# --- what is not taken over ---
mkdir -p box/cur box/new box/tmp box/cur/2.x
printf 'Subject: in\n\nx\n' >box/new/1.x
: >box/new/3.x
ln -s nowhere box/cur/4.x
ok "a folder and a link among the messages" is "$(import carol@example.org box; echo $?)" 65
ok "the others come, the empty one too" is "$(result)" "2 messages added, 2 left out"
ok "the folder is named" said 'cur/2.x: left out: it is a folder'
ok "so is the link" said 'cur/4.x: left out: it is a link'
printf '%s\n\n%s\nSubject: x\n\nx\n' "$from" "$from" >empty
ok "an empty message of an mbox" import grace@example.org empty
ok "is one" is "$(result)" "2 messages added"
ok "no mbox" is "$(import grace@example.org qasid.conf; echo $?)" 65
ok "is said" said 'this is not an mbox'

# --- there and back ---
ok "export" q export alice@example.org out.mbox --uidl out.uidls
ok "its own list is read" import dave@example.org out.mbox --uidl out.uidls
ok "all of it" is "$(result)" "3 messages added"
ok "the same UIDLs" is "$(q mail list dave@example.org | awk '{print $4}')" "$(q mail list alice@example.org | awk '{print $4}')"
python3 - "$pop3" <<'END'
import poplib, sys
p = poplib.POP3("localhost", int(sys.argv[1]))
p.apop("dave@example.org", "secret-dave")
for n in (1, 2, 3): p.dele(n)
p.quit()
END
ok "deleted, then imported again" is "$(import dave@example.org out.mbox --uidl out.uidls; echo $?)" 65
ok "that is said" said 'message 1: not added: it was here and its owner deleted it (--again adds it)'
ok "and nothing was added" is "$(result)" "0 messages added, 3 gone"
ok "--again" import dave@example.org out.mbox --uidl out.uidls --again
ok "adds it" is "$(result) $(count_of dave)" "3 messages added 3"

# --- mboxes of others ---
python3 - <<'END'
import mailbox
mails = [b"From: a@b.example\nSubject: %d\n\nFrom now on\n\nFrom here too.\n>From quoted\nend\n" % n for n in range(20)]
for kind in (mailbox.mbox, mailbox.Maildir):
    box = kind("py." + kind.__name__)
    for m in mails:
        msg = mailbox.mboxMessage(m) if kind is not mailbox.Maildir else mailbox.MaildirMessage(m)
        if kind is not mailbox.Maildir: msg.set_from("a@b.example", (2026, 11, 26, 20, 7, 9, 3, 330, 0)), msg.set_flags("RAF")
        else: msg.set_subdir("cur"), msg.set_flags("SRF")
        box.add(msg)
    box.flush()
# unquoted, each with its length
with open("cl2", "wb") as f:
    for n in range(3):
        body = b"Hi\n\nFrom a@b.example Thu Nov 26 20:07:09 2026\nSubject: inside\n\nFrom me\n>From you\n"
        f.write(b"From a@b.example Thu Nov 26 20:07:09 2026\nSubject: c%d\nContent-Length: %d\n\n" % (n, len(body)) + body + b"\n")
with open("mac", "wb") as f:
    f.write(b"From a@b.example Thu Nov 26 20:07:09 2026\rSubject: m1\r\rbody\r\rFrom a Thu Nov 26 20:07 +0100 2026\rSubject: m2\r\rbody\r")
with open("bom", "wb") as f:
    f.write(b"\xef\xbb\xbfFrom - Thu Nov 26 20:07:09 2026 +0100\r\nSubject: b1\r\nX-Mozilla-Status: 0009\r\n\r\nbody\r\n")
END
ok "Python's mbox" import erin@example.org py.mbox
ok "twenty" is "$(result)" "20 messages added"
ok "read, answered and flagged" is "$(q export erin@example.org flags >/dev/null 2>&1; find flags/cur -name '*:2,FRS' | wc -l)" 20
ok "at their dates" is "$(q mail list erin@example.org | grep -c 2026-11-26T20:07:09Z)" 20
ok "Python's Maildir" import frank@example.org py.Maildir
ok "twenty" is "$(result)" "20 messages added"
ok "mboxcl2" import grace@example.org cl2
ok "three" is "$(result)" "3 messages added"
q export grace@example.org grace.mbox >/dev/null 2>&1
ok "with what was in them" is "$(grep -c '^>From a@b.example' grace.mbox) $(grep -c '^>>From you' grace.mbox)" "3 3"
ok "a Macintosh's" import grace@example.org mac
ok "two" is "$(result)" "2 messages added"
ok "with the zone" grep -q 2026-11-26T19:07:00Z <(q mail list grace@example.org)
ok "one with a byte order mark" import grace@example.org bom
ok "one" is "$(result) $(subjects grace)" "1 message added one two  x c0 c1 c2 m1 m2 b1 "
ok "it is marked as deleted there" said 'note: 1 of them are marked as deleted there'
if command -v formail >/dev/null; then
  printf 'From: a@b.example\nSubject: f\n\nFrom formail\n' | formail >form.mbox
  printf 'From: a@b.example\nSubject: g\n\nFrom formail\n' | formail >>form.mbox
  ok "formail's" import grace@example.org form.mbox
  ok "two" is "$(result)" "2 messages added"
  ok "formail cuts our export into as many" is "$(formail -s echo one <out.mbox | wc -l)" 3
fi
# --- a tree that is set against root ---
if [ "$(id -u)" = 0 ]; then
  mkdir -p user/cur user/new user/tmp
  printf 'root:secret\n' >shadow && chmod 600 shadow
  printf 'Subject: fine\n\nx\n' >user/new/1.x
  ln -s "$dir/shadow" user/new/2.x
  mkfifo user/new/3.x
  chown -Rh nobody user
  ln shadow user/new/4.x
  ok "a user's Maildir with links, a FIFO and root's file" is "$(timeout 20 "$qasid_bin" -c qasid.conf import grace@example.org user >out.txt 2>err.txt; echo $?)" 65
  ok "his mail comes" is "$(result)" "1 message added, 3 left out"
  q export grace@example.org grace2.mbox >/dev/null 2>&1
  ok "root's file does not" no grep -q root:secret grace2.mbox
  rm user/new/[234].x
  ln -s "$dir/shadow" user/dovecot-uidlist && chown -h nobody user/dovecot-uidlist
  ok "a link for a list" is "$(import grace@example.org user; echo $?)" 66
  ok "is named" said 'dovecot-uidlist: it is a link'
  rm user/dovecot-uidlist
  ln -s "$dir/shadow" user/mbox && chown -h nobody user/mbox
  ok "a link for an mbox" is "$(import grace@example.org user/mbox; echo $?)" 66
  before=$(md5sum shadow)
  mkdir home && ln -s "$dir/shadow" home/out.mbox && ln -s "$dir/box" home/out && chown -h nobody home home/out.mbox home/out
  ok "export through a link" no q export grace@example.org home/out.mbox
  ok "or to one" no q export grace@example.org home/out
  ok "or its list" no q export grace@example.org fresh.mbox --uidl home/out.mbox
  printf 'secret-grace\n' >password
  ok "fetch through a link" no q fetch "pop3://grace%40example.org@localhost:$pop3" --password-stdin --ca cert.pem --to home/out.mbox <password
  ok "nothing was written through it" is "$(md5sum shadow)" "$before"
fi

# --- a large one, in little memory ---
python3 - <<'END'
body = ("x" * 75 + "\n") * 60
with open("large", "w") as f:
    for n in range(12000): f.write("From a@b.example Thu Nov 26 20:07:09 2026\nSubject: large %d\n\n%s\n" % (n, body))
    f.write("From a@b.example Thu Nov 26 20:07:09 2026\nSubject: huge\n\n" + body * 4000 + "\n")
END
q account add heidi@example.org --password-stdin <<<secret-heidi >/dev/null
client=${qasid_bin/\/asan\//\/release\/} # the sanitizer's own memory is not what is measured
[ -x "$client" ] || client=$qasid_bin
/usr/bin/env python3 - "$client" >peak <<'END'
import resource, subprocess, sys
p = subprocess.run([sys.argv[1], "-c", "qasid.conf", "import", "heidi@example.org", "large"], capture_output=True, text=True)
print(p.stdout.strip(), p.stderr, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
END
ok "all of it" grep -q '^12001 messages added' peak
echo "      $(($(stat -c %s large) / 1000000)) MB in $(($(awk 'END {print $NF}' peak) / 1024)) MB of memory"
ok "in less than 50 MB" test "$(awk 'END {print $NF}' peak)" -lt $((50 * 1024))
ok "again" grep -q '^0 messages added, 12001 there' <(q import heidi@example.org large)
ok "check is clean" q check
finish
