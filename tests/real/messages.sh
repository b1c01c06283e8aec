#!/bin/bash
# What comes out is what went in, at every size where something changes on the way: the largest message
# and one octet more, bodies around what is kept inline, around the pieces that travel between processes, and
# none at all. Headers read by another's parser; 17,000 deletions in one QUIT, all or none.
#   messages.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option message_size_limit 300000
add alice bob
serve
python3 - "$smtp" "$pop3" >"$dir/said" 2>&1 <<'PY'
import email, email.policy, poplib, re, socket, sys
smtp_port, pop_port = int(sys.argv[1]), int(sys.argv[2])
passed = failed = 0
def ok(what, fine, more=""):
    global passed, failed
    if fine: passed += 1
    else:
        failed += 1
        print("FAILED:", what, more)

class Smtp:
    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", smtp_port))
        self.f = self.s.makefile("rb")
        self.reply()
        self.say(b"EHLO client.example")
    def reply(self):
        while True:
            line = self.f.readline()
            if line[3:4] != b"-": return line
    def say(self, line):
        self.s.sendall(line + b"\r\n")
        return self.reply()
    def send(self, body, sender=b"s@client.example", to=(b"alice@example.org",)):
        self.say(b"MAIL FROM:<" + sender + b">")
        for t in to: self.say(b"RCPT TO:<" + t + b">")
        self.say(b"DATA")
        stuffed = re.sub(rb"(^|\r\n)\.", rb"\1..", body)
        self.s.sendall(stuffed + (b"" if body.endswith(b"\r\n") or not body else b"\r\n") + b".\r\n")
        return self.reply()

class Pop:
    def __init__(self, who):
        self.s = socket.create_connection(("127.0.0.1", pop_port))
        self.f = self.s.makefile("rb")
        stamp = re.search(rb"<.*>", self.f.readline()).group()
        self.say(b"UTF8") # else what is not ASCII comes as a surrogate (RFC 6856)
        import hashlib
        digest = hashlib.md5(stamp + b"secret-" + who).hexdigest().encode()
        self.hello = self.say(b"APOP " + who + b"@example.org " + digest)
    def say(self, line):
        self.s.sendall(line + b"\r\n")
        return self.f.readline()
    def lines(self):
        out = []
        while (line := self.f.readline()) not in (b".\r\n", b""): out.append(line)
        ok("the response has its end", line == b".\r\n")
        return b"".join(l[1:] if l[:1] == b"." else l for l in out)
    def retr(self, n):
        first = self.say(b"RETR %d" % n)
        return int(first.split()[1]), self.lines()

def body_of(n):
    text = (b"Subject: size\r\n\r\n" + b".dots.. 0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * (n // 40 + 1))[: n - 2]
    return text.rstrip(b"\r\n").ljust(n - 2, b"-") + b"\r\n"

c = Smtp()
sizes = [20, 100, 300000 - 1, 300000]
for edge in (32768, 65536, 131072): sizes += [edge + d for d in (-300, -200, -160, -120, -2, -1, 0, 1, 2)]
sent = [body_of(n) for n in sizes]
for n, b in zip(sizes, sent):
    r = c.send(b)
    ok("250 for %d" % n, r.startswith(b"250 2.0.0 "), r)
r = c.send(body_of(300001))
ok("one octet too many", r.startswith(b"552 5.3.4 "), r)
ok("the session goes on", c.say(b"NOOP").startswith(b"250 "))
odd = [(b"", b"\r\n"), (b"no colon, no blank line", b"\r\nno colon, no blank line\r\n"), (b"A: b\r\n", b"A: b\r\n\r\n"),
       (b".\r\n", b"\r\n.\r\n"), (b"Subject: caf\xc3\xa9\r\n\r\n\xff\xfe\x80\r\n", None), (b"\r\n.\r\n..\r\n", None)]
for b, _ in odd:
    r = c.send(b, sender=b'"a>b\\"c \\\\"@client.example')
    ok("250 for %r" % b, r.startswith(b"250 2.0.0 "), r)

p = Pop(b"alice")
ok("logged in", p.hello.startswith(b"+OK"), p.hello)
p.say(b"LIST")
listed = dict(map(int, l.split()) for l in p.lines().splitlines())
for i, want in enumerate(sent + [w or b for b, w in odd], 1):
    n, got = p.retr(i)
    ok("LIST, RETR and the octets agree", listed[i] == n == len(got), (i, listed[i], n, len(got)))
    ok("what went in comes out: %d" % i, got.endswith(want), got[-200:])
    head = got[: len(got) - len(want)]
    lines = re.sub(rb"\r\n[ \t]", b" ", head).split(b"\r\n")
    path = b'<"a>b\\"c \\\\"@client.example>' if i > len(sent) else b"<s@client.example>"
    ok("two trace fields", len(lines) == 3 and lines[0] == b"Return-Path: " + path, head)
    ok("Received: is RFC 5321 4.4's", re.fullmatch(
        rb"Received: from client\.example \(\[127\.0\.0\.1\]\) by mx\.example\.org \(Qasid\) with ESMTP"
        rb" id [A-Za-z0-9-]+ for <alice@example\.org>; \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", lines[1]), head)
    m = email.message_from_bytes(got, policy=email.policy.SMTP)
    ok("another parser has no complaint of ours", all(k in m for k in ("Return-Path", "Received")))
    ok("its date is a date", email.utils.parsedate_to_datetime(m["Received"].rsplit(";", 1)[1].strip()) is not None)
p.say(b"QUIT")

# Deletions in more than one part of pop_delete.
MANY = 17000
c = Smtp()
one = b"MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
for k in range(0, MANY, 100):
    for _ in range(100):
        c.s.sendall(one); [c.reply() for _ in range(3)]
        c.s.sendall(b"A: b\r\n\r\n.\r\n")
        if not c.reply().startswith(b"250"): ok("kept", False)
    if k % 1000 == 900:
        c.say(b"QUIT"); c = Smtp()
p = Pop(b"bob")
ok("all are there", p.say(b"STAT").split()[1] == b"%d" % MANY)
p.s.sendall(b"".join(b"DELE %d\r\n" % i for i in range(1, MANY + 1)))
ok("all are marked", all(p.f.readline().startswith(b"+OK") for _ in range(MANY)))
p.s.close()
p.f.close()
for _ in range(50):
    p = Pop(b"bob")
    if p.hello.startswith(b"+OK"): break
ok("a connection that is cut deletes nothing", p.say(b"STAT").split()[1] == b"%d" % MANY)
p.s.sendall(b"".join(b"DELE %d\r\n" % i for i in range(1, MANY + 1)))
[p.f.readline() for _ in range(MANY)]
r = p.say(b"QUIT")
ok("QUIT deletes all", r.startswith(b"+OK") and b"empty" in r, r)
ok("and they are gone", Pop(b"bob").say(b"STAT") == b"+OK 0 0\r\n")
print("%d checks, %d of them failed" % (passed + failed, failed))
PY
ok "messages come out as they went in" grep -q " checks, 0 of them failed" "$dir/said"
grep -v "checks, 0" "$dir/said" | head -20
ok "what is kept is sound" q check
stop
finish
