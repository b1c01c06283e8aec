#!/bin/bash
# The surrogates of messages with UTF-8 headers, read by another's parser: same subjects, names, file names; ASCII headers;
# sizes as LIST announced them, in both modes; by SMTP, by import, kept in the database and as files, and for a
# store whose messages nobody has measured.
#   surrogates.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option plaintext_auth '"yes"'
add alice bob
serve
cat >"$dir/test.py" <<'PY'
import email, email.header, email.utils, poplib, random, smtplib, sys
smtp_port, pop_port, stage, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
passed = failed = 0
def ok(what, fine, more=""):
    global passed, failed
    if fine: passed += 1
    else:
        failed += 1
        print("FAILED:", what, more)

r = random.Random(6857)
WORDS = ["Əziz", "dost", "naïve", "日本語", "Привет", "a", "ok", "[x]", "straße", "🙂", "e\u0301", "Ελλάδα", "x.y", "=", "quoted-printable", "ß" * 30]
def text(n): return " ".join(r.choice(WORDS) for _ in range(n))
def name(): return '"%s"' % text(r.randint(1, 4)) if r.random() < .5 else text(r.randint(1, 3)).replace("[x]", "x").replace("x.y", "xy")
def message(i):
    to = ", ".join("%s <u%d@example.org>" % (name(), k) for k in range(r.randint(1, 30)))
    head = "From: %s <from%d@example.org>\r\nTo: %s\r\nSubject: %s\r\n" % (name(), i, to, text(r.randint(1, 30)))
    body = "\r\n".join(text(8) for _ in range(r.choice([1, 20, 3000])))
    if i % 3 == 0:
        return head + "\r\n" + body + "\r\n"
    file = text(r.randint(1, 9)).replace("/", "") + ".pdf"
    return (head + 'Content-Type: multipart/mixed; boundary="b b"\r\nMIME-Version: 1.0\r\n\r\n--b b\r\nContent-Type: text/plain; charset=UTF-8\r\n'
            'Content-Transfer-Encoding: 8bit\r\n\r\n' + body + '\r\n--b b\r\nContent-Disposition: attachment; filename="' + file + '"\r\nContent-Type: application/pdf;\r\n'
            ' name="' + file + '"\r\n\r\nx\r\n--b b\r\nContent-Type: message/rfc822\r\n\r\nSubject: ' + text(4) + "\r\n\r\n" + body + "\r\n--b b--\r\n")

if stage == "make":
    s = smtplib.SMTP("127.0.0.1", smtp_port)
    for i in range(30):
        m = message(i).encode()
        s.sendmail("s@client.example", ["alice@example.org"], m, ["BODY=8BITMIME"])
        open("%s/new/1700000%03d.%d.x" % (folder, i, i), "wb").write(m)
    s.quit()
    sys.exit(0)

def fetch(user, utf8):
    p = poplib.POP3("127.0.0.1", pop_port)
    if utf8: p.utf8()
    p.user(user + "@example.org"); p.pass_("secret-" + user)
    sizes = [int(l.split()[1]) for l in p.list()[1]]
    ok("STAT is the sum of LIST", p.stat() == (len(sizes), sum(sizes)))
    got = []
    for n, size in enumerate(sizes, 1):
        lines = p.retr(n)[1]
        m = b"\r\n".join(lines) + b"\r\n"
        ok("RETR's size is LIST's", len(m) == size, "%d %d" % (len(m), size))
        top = p.top(n, 0)[1]
        ok("TOP is RETR's header", top == lines[:len(top)])
        got.append(m)
    p.quit()
    return got

def decoded(v): return str(email.header.make_header(email.header.decode_header(v)))
def fold(s): return " ".join(s.split())
def parts(m): return [p for p in m.walk()]
for user in ["alice", "bob"]:
    raw, low = fetch(user, True), fetch(user, False)
    ok("30 messages", len(raw) == 30 and len(low) == 30)
    for a, b in zip(raw, low):
        ma, mb = email.message_from_string(a.decode()), email.message_from_bytes(b)
        wide, flat = parts(ma), parts(mb)
        ok("as many parts", len(wide) == len(flat))
        for p, q in zip(wide, flat):
            for k, v in q._headers:
                ok("an ASCII header", all(0 < ord(c) < 128 for c in str(v)), (k, v))
            ok("file name", fold(p.get_filename() or "") == fold(q.get_filename() or ""), (p.get_filename(), q.get_filename()))
            if p["subject"] is not None: ok("subject", fold(p["subject"]) == fold(decoded(q["subject"])), (p["subject"], q["subject"]))
            if not p.is_multipart(): ok("content", p.get_payload().encode() == q.get_payload(decode=True))
        for f in ("from", "to"):
            x = [(fold(n), t) for n, t in email.utils.getaddresses([ma[f]])]
            y = [(fold(decoded(n)), t) for n, t in email.utils.getaddresses([mb[f]])]
            ok(f, x == y, [(p, q) for p, q in zip(x, y) if p != q][:3])
        if any(len(l) > 998 for l in b.split(b"\r\n\r\n")[0].split(b"\r\n")): ok("lines of at most 998", False)
print("passed %d failed %d" % (passed, failed))
PY
mkdir -p "$dir"/mail/{cur,new,tmp}
python3 "$dir/test.py" "$smtp" "$pop3" make "$dir/mail" >"$dir/said" 2>&1
ok "30 messages by SMTP" test ! -s "$dir/said"
cat "$dir/said"
ok "30 messages by import" q import bob@example.org "$dir/mail"
look() { # WHAT
  python3 "$dir/test.py" "$smtp" "$pop3" look "$dir/mail" >"$dir/said" 2>&1
  ok "$1" grep -q '^passed [0-9]* failed 0$' "$dir/said"
  grep -v '^passed [0-9]* failed 0$' "$dir/said" | head -20
}
look "another's parser finds the same in both"
stop
python3 - "$dir/data/store/database.sqlite" <<'PY'
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("UPDATE entry SET surrogate = NULL")
c.commit()
PY
serve
for i in {1..100}; do
  LC_ALL=C.UTF-8 python3 - "$pop3" <<'PY' && break
import poplib, sys, time
time.sleep(.1)
p = poplib.POP3("127.0.0.1", int(sys.argv[1]))
p.user("bob@example.org"); p.pass_("secret-bob")
try:
    for n in range(1, 31): p.retr(n)
except poplib.error_proto as e:
    sys.exit(0 if "[UTF8]" not in str(e) else 1)
PY
done
look "so it does when the store has measured them itself"
finish
