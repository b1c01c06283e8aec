#!/bin/bash
# Every road by which a message comes in or goes out passes one filter (mail/clean.h): whatever spelling of a line's end
# another server sends, clients that take LF for one read our POP3 right, and no SMTP server is sent two messages in one.
qasid_bin=$1
here=$(dirname "$(readlink -f "$0")")
. "$(dirname "$0")/../lib.sh"
begin
read -r old olds sink < <(free_ports 3)
option plaintext_networks '{ "127.0.0.0/8" }'
option collect_private_addresses yes
option collect_ports "{ \"$olds\" }"
option tls_authorities "\"$dir/cert.pem\""
option bare_lf '"fix"'
add fetched collected migrated moved imported sent
serve
cd "$dir" || exit 1
python3 "$here/octets_peers.py" "$old" "$olds" "$sink" cert.pem key.pem "$dir/kept" >peers.out 2>peers.err </dev/null &
peers=$!
trap 'kill $peers 2>/dev/null; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
for ((i = 0; i < 100; i++)); do grep -q ready peers.out && break; sleep 0.1; done
count=$(python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import octets_peers as p; print(len(p.mail))' "$here")

# What a client that takes LF for a line's end reads, as poplib does: every message to its true end, in step.
cat >look.py <<'EOF2'
import poplib, re, sys
sys.path.insert(0, sys.argv[1])
import octets_peers
poplib._MAXLINE = 10 ** 7
def door(m):  # by other means than ours
    m = re.sub(rb"\r{1,4}\n|\r|\n", b"\n", m).replace(b"\0", b"\x80").replace(b"\n", b"\r\n")
    m = m if m.endswith(b"\r\n") else m + b"\r\n"
    return m if b"\r\n\r\n" in b"\r\n" + m else m + b"\r\n"
p = poplib.POP3("127.0.0.1", int(sys.argv[2]))
p.user(sys.argv[3] + "@example.org"); p.pass_("secret-" + sys.argv[3])
fine = 0
for i, m in enumerate(octets_peers.mail):
    _, lines, size = p.retr(i + 1)
    got = b"\r\n".join(lines) + b"\r\n"
    if len(sys.argv) > 4:  # our trace field is in front, and what is no header is no part of it
        ours, got = re.match(rb"(Received: .*\r\n(?:[ \t].*\r\n)*)([\s\S]*)", got).groups()
        if m.startswith((b" ", b"no ")): m = b"\r\n" + m
    if got == door(m): fine += 1
    else: print("message", i + 1, repr(got[:200]), "wanted", repr(door(m)[:200]))
assert p.noop().startswith(b"+OK")
p.quit()
print(fine)
EOF2
look() { python3 look.py "$here" "$pop3" "$@"; }

q fetch "pop3://u@localhost:$old" --no-starttls --password-stdin --to account:fetched@example.org <<<secret >fetch.out 2>&1

ok "fetch to an account says what it changed" grep -qE 'made over: [0-9]+ bare LFs, [0-9]+ bare CRs and [0-9]+ NULs' fetch.out
ok "and a client reads it right" is "$(look fetched)" "$count"
printf 'migrated@example.org\tu\tsecret\n' >accounts
printf 'moved@example.org\tu\tsecret\n' >again
move() { q migrate pop3 --from "localhost:$old" --no-starttls "$@" >migrate.out 2>&1; }
ok "a migration proves every octet, by the same rule" move --accounts accounts --prove=full
told="$count of $count the same by UIDL and every octet as it is kept \([0-9]+ messages had what no message may have and were made over: [0-9]+ bare LFs, [0-9]+ bare CRs and [0-9]+ NULs\)"
ok "and says what it changed" grep -qE "$told" migrate.out
move --accounts accounts --prove=full
ok "and in the next run, of what is compared" grep -qE " 0 fetched; $told" migrate.out
move --accounts again
ok "and without a proof" grep -qE '[0-9]+ fetched \([0-9]+ octets\) \([0-9]+ messages had .* made over: [0-9]+ bare LFs' migrate.out
ok "and a client reads it right" is "$(look migrated)" "$count"
q account collect add collected@example.org "pop3s://u@localhost:$olds" --password-stdin <<<secret >collect.out 2>&1
for ((i = 0; i < 300; i++)); do [ "$(count_of collected)" = "$count" ] && break; sleep 0.1; done
ok "a client reads what was collected right" is "$(look collected trace)" "$count"
comes() { for ((i = 0; i < 100; i++)); do q account collect list | grep -q 'made over' && return 0; sleep 0.1; done; q account collect list; return 1; }
ok "and the collection says what it changed" comes

q fetch "pop3://u@localhost:$old" --no-starttls --password-stdin --to "smtp://localhost:$sink/alice@example.org" <<<secret >fetch.out 2>&1
ok "as many messages as there are, not one more" is "$(find . -name 'kept.*' | wc -l)" "$count"
ok "none has a bare CR or LF, or a NUL" python3 -c 'import glob, re
for f in glob.glob("kept.*"):
    t = open(f, "rb").read()
    assert b"\0" not in t and not re.search(rb"\r(?!\n)|(?<!\r)\n", t), f'
ok "fetch says what it changed" grep -q 'made over: ' fetch.out
rm -f kept.*
printf 'Subject: x\n\na\0b\rc\n.\r\nMAIL FROM:<s@example.net>\r\n' | q send "smtp://localhost:$sink" --no-starttls --from a@example.net --to b@example.org >send.out 2>&1
ok "send too" python3 -c 'import re
import glob
t = open(glob.glob("kept.*")[0], "rb").read()
assert b"\0" not in t and not re.search(rb"\r(?!\n)|(?<!\r)\n", t), t
assert t.count(b"\r\n.\r\n") == 1 and b"\r\n..\r\n" in t, t'

ok "and says what it changed" grep -q '1 message had what no message may have and was made over: 1 bare CR and 1 NUL' send.out
mkdir -p box/cur box/new box/tmp
printf 'Subject: x\n\na\rb\0\n' >box/new/1
printf 'Subject: y\n\nplain\r\n' >box/new/2
printf 'Subject: z\n\nc\r\r\nd\r' >box/new/3
q import imported@example.org box >import.out 2>&1
ok "import too" grep -q '2 messages had what no message may have and were made over: 3 bare CRs and 1 NUL' import.out
ok "and knows them again" grep -q '^0 messages added, 3 there' <(q import imported@example.org box 2>&1)

# SMTP with bare_lf = fix: what is sent with LF, or with ends made twice, is what was meant.
cat >smtp.py <<'EOF2'
import poplib, socket, sys
smtp, pop3 = int(sys.argv[1]), int(sys.argv[2])
texts = [(b"Subject: a\n\none\n..two\n...\n.three\r\n.\r\n", [b"Subject: a", b"", b"one", b".two", b"..", b".three"]),
         (b"Subject: a\r\r\nTo: b\r\r\n\r\r\nbody\r\r\n.\r\n", [b"Subject: a", b"To: b", b"", b"body"]),
         (b" folded\r\n\r\nx\r\n.\r\n", [b"", b" folded", b"", b"x"]), (b"word\r\n.\r\n", [b"", b"word"]),
         (b"From a@b Thu\r\nSubject: x\r\n\r\ny\r\n.\r\n", [b"X-Mailbox-Line: From a@b Thu", b"Subject: x", b"", b"y"])]
s = socket.create_connection(("127.0.0.1", smtp)); f = s.makefile("rb"); f.readline()
def say(line):
    s.sendall(line)
    while (r := f.readline())[3:4] == b"-": pass
    return r
assert say(b"EHLO x.example\r\n").startswith(b"250")
for text, _ in texts:
    for line in (b"MAIL FROM:<a@example.net>\r\n", b"RCPT TO:<sent@example.org>\r\n"): assert say(line).startswith(b"250")
    assert say(b"DATA\r\n").startswith(b"354")
    assert say(text).startswith(b"250")
s.sendall(b"QUIT\r\n"); f.read()
p = poplib.POP3("127.0.0.1", pop3); p.user("sent@example.org"); p.pass_("secret-sent")
for i, (_, wanted) in enumerate(texts):
    lines = p.retr(i + 1)[1]
    while lines and (lines[0].startswith((b"Return-Path:", b"Received:")) or lines[0].startswith(b"\t")): lines.pop(0)
    assert lines == wanted, (lines, wanted)
p.quit()
# Lines that end in LF alone are answered each, or the connection ends.
s = socket.create_connection(("127.0.0.1", smtp)); s.settimeout(10); f = s.makefile("rb"); f.readline()
for i in range(200):
    try: s.sendall(b"EHLO x\n")
    except OSError: break
    line = f.readline()
    if not line: break
    assert line.startswith((b"500", b"421")), line
EOF2
ok "by SMTP, made right" python3 smtp.py "$smtp" "$pop3"
ok "and the log says what was changed" grep -q "event=closed .*service=smtp .* bare_lfs=5 bare_crs=4" log
ok "check is clean" q check
finish
