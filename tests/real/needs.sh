#!/bin/bash
# What messages need and servers lack: SMTPUTF8, 8BITMIME, SIZE. Another server of the destination is tried before it is said to be for
# good; 8-bit text is converted, and what Python's reader decodes of it is the same.
qasid_bin=$1
here=$(dirname "$0")
. "$here/../lib.sh"
. "$here/../outside.sh"
begin
read -r dns port < <(free_ports 2)
mkdir "$dir/got"
python3 "$here/needs_smtp.py" "$port" "$dir/got" >"$dir/sink" 2>&1 &
outside+=($!)
zone() {
  {
    for n in 71 72 73 74 79; do echo "address=/mx$n.test/127.0.0.$n"; done
    printf 'mx-host=%s\n' bits.test,mx73.test,10 both.test,mx72.test,10 both.test,mx71.test,20 plain.test,mx72.test,10 xn--bcher-kva.test,mx71.test,10 \
      eight.test,mx72.test,10 eight.test,mx73.test,20 tiny.test,mx74.test,10 larger.test,mx74.test,10 larger.test,mx71.test,20 \
      down.test,mx72.test,10 down.test,mx79.test,20
    echo "local=/test/"
    q dkim list --records | sed -E 's/^([^ ]+)\. TXT (.*)$/txt-record=\1,\2/; s/" "/","/g'
  } >"$dir/zone"
  names_begin "$dir/zone"
}
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
option dns_servers "{ \"127.0.0.1@$dns\" }"
option remote_port "$port"
option send_private_addresses yes
option retry_first 300
option plaintext_auth yes
option auth_mechanisms '{ "PLAIN" }'
serve
add alice
q domain add xn--bcher-kva.example >/dev/null
echo secret-alice | q account add jürgen@xn--bcher-kva.example --password-stdin >/dev/null
zone

submit() { # LOGIN SENDER RECIPIENT FILE [PARAMETER…]
  python3 - "$submission" "$@" <<'PY'
import base64, smtplib, sys
port, login, sender, to, path, *more = [a.encode("utf-8", "surrogateescape").decode("utf-8") for a in sys.argv[1:]]
s = smtplib.SMTP("127.0.0.1", int(port), local_hostname="client.test", timeout=30)
s.ehlo()
s.command_encoding = "utf-8"
assert s.has_extn("smtputf8")
s.docmd("AUTH", "PLAIN " + base64.b64encode(("\0%s\0secret-alice" % login).encode()).decode())
def need(reply): assert reply[0] in (250, 354), reply
need(s.docmd("MAIL", "FROM:<%s> %s" % (sender, " ".join(more))))
need(s.docmd("RCPT", "TO:<%s>" % to))
need(s.data(open(path, "rb").read()))
s.quit()
PY
}
msg() { printf '%b' "$2" >"$dir/$1"; }
taken() { grep -qa -- "$1" "$dir/got/taken"; }
told() { rm -rf "$dir/mails"; q export "${2:-alice@example.org}" "$dir/mails" >/dev/null && grep -raq -- "$1" "$dir/mails"; }
of() { awk -v s="$1" '$4 == s { print $3; exit }' "$dir/got/taken"; }
# The same content, part by part, as Python's reader decodes both; the header is the same but for what had to change.
same() { # NAME SUBJECT
  python3 - "$dir/$1" "$dir/got/$(of "$2").eml" <<'PY'
import email, sys
a, b = (email.message_from_bytes(open(p, "rb").read()) for p in sys.argv[1:])
assert max(open(sys.argv[2], "rb").read()) < 128
pa, pb = [list(m.walk()) for m in (a, b)]
assert len(pa) == len(pb), (len(pa), len(pb))
for x, y in zip(pa, pb):
    if x.is_multipart(): continue
    assert x.get_payload(decode=True) == y.get_payload(decode=True), (x.get_payload(decode=True), y.get_payload(decode=True))
    assert x["Content-Type"] in (y["Content-Type"], None) and y["Content-Transfer-Encoding"] not in ("8bit", "binary")
for name in a.keys():
    if name not in ("Content-Transfer-Encoding",): assert a[name] == b[name], name
PY
}

# --- SMTPUTF8 ---
msg umlaut 'From: Jürgen <jürgen@xn--bcher-kva.example>\r\nSubject: grüße\r\n\r\nhier\r\n'
msg ascii 'From: alice@example.org\r\nSubject: plain\r\n\r\nhi\r\n'
send_utf8() { submit jürgen@xn--bcher-kva.example jürgen@bücher.example "$1" "$dir/${2:-umlaut}" SMTPUTF8; }
ok "first thing in a fresh, confined process: UTF-8 to a U-label domain" send_utf8 ämi@bücher.test
ok "it goes with SMTPUTF8, the domain as A-labels" within 20 taken '127.0.0.71 got .*SMTPUTF8 RCPT TO:<ämi@xn--bcher-kva.test>'
send_utf8 b@both.test
ok "the first server lacks SMTPUTF8: the next one has it" within 20 taken '127.0.0.71 got .*<b@both.test>'
submit alice@example.org alice@example.org c@both.test "$dir/ascii" SMTPUTF8
ok "given and not needed: without, to the first server" within 20 taken '127.0.0.72 got .*<alice@example.org> SIZE=[0-9]* RCPT TO:<c@both.test>'
send_utf8 d@plain.test
ok "no server has it: returned at once" within 20 told 'Status: 5.6.7' jürgen@xn--bcher-kva.example
ok "with what is in it as message/global-headers" told 'Content-Type: message/global-headers' jürgen@xn--bcher-kva.example
submit alice@example.org alice@example.org ä@plain.test "$dir/ascii" SMTPUTF8
ok "an address is enough; its sender reads UTF-8, so the report has it as it is" within 20 told 'Final-Recipient: utf-8; ä@plain.test'
from_elsewhere() { # SENDER: a delivery here that is reported
  python3 - "$smtp" "$1" "$dir/umlaut" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=30)
s.ehlo()
s.sendmail(sys.argv[2], ["alice@example.org"], open(sys.argv[3], "rb").read(), ["SMTPUTF8", "BODY=8BITMIME"], ["NOTIFY=SUCCESS"])
s.quit()
PY
}
has_part() { grep -qa "^Content-Type: message/global-headers" "$dir/got/$1.eml" && grep -qa "^Content-Transfer-Encoding: $2" "$dir/got/$1.eml"; }
from_elsewhere x@bits.test
ok "a report with such a header in it, to a server without SMTPUTF8" within 20 taken '127.0.0.73 got .*MAIL FROM:<>.* RCPT TO:<x@bits.test>'
n=$(awk '/<x@bits.test>/ { print $3 }' "$dir/got/taken")
ok "goes in 7 bits" eval '! LC_ALL=C grep -qP "[\x80-\xff]" "$dir/got/$n.eml" && has_part "$n" "[qb][ua][os]"'
from_elsewhere x@xn--bcher-kva.test
ok "and to one with it as it is" within 20 taken '127.0.0.71 got .*MAIL FROM:<>.* BODY=8BITMIME SMTPUTF8 RCPT TO:<x@xn--bcher-kva.test>'
n=$(awk '/<x@xn--bcher-kva.test>/ { print $3 }' "$dir/got/taken")
ok "with its octets" eval 'grep -qa "^Subject: grüße" "$dir/got/$n.eml" && has_part "$n" 8bit'
send_utf8 e@down.test
ok "the server that might have it is down: it waits" eval 'within 20 grep -qE "event=deferred .*to=e@down.test" "$dir/log" && q queue list to=down.test | grep -q e@down.test'
ok "and what does not need it goes" eval 'submit alice@example.org alice@example.org f@down.test "$dir/ascii" && within 20 taken "127.0.0.72 got .*<f@down.test>"'

# --- 8BITMIME ---
msg text 'From: alice@example.org\r\nSubject: text\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nEin Gruß aus Köln, und ein Blank am Ende \r\n.dot\r\nFrom here\r\n'
python3 - "$dir" <<'PY'
import random, sys
r = random.Random(7)
def part(kind, cte, body): return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + cte + b"\r\n\r\n" + body + b"\r\n"
binary = bytes(c for c in r.randbytes(300000) if c not in b"\r\n\0")
binary = b"\r\n".join(binary[i:i + 900] for i in range(0, len(binary), 900))
long = "Zeile mit ä und = und \t".encode() * 30 + b"end \r\nlast"
inner = b"From: x@y.test\r\nSubject: inner\r\nMIME-Version: 1.0\r\n" + part(b"text/plain; charset=iso-8859-1", b"8bit", b"caf\xe9, and more of it")
parts = [part(b"text/plain; charset=utf-8", b"8bit", long), part(b"image/png", b"binary", binary), part(b"message/rfc822", b"8bit", inner),
         part(b"text/plain", b"7bit", b"only ascii"), part(b"text/x-mine; charset=utf-8", b"7bit", "lügt übers 7bit".encode())]
head = b"From: alice@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n"
open(sys.argv[1] + "/parts", "wb").write(head + b"".join(b"--=_b\r\n" + p for p in parts) + b"--=_b--\r\n")
signed = head.replace(b"parts", b"signed").replace(b"multipart/mixed", b"multipart/signed; protocol=x")
open(sys.argv[1] + "/signed", "wb").write(signed + b"--=_b\r\n" + parts[0] + b"--=_b\r\n" + parts[3] + b"--=_b--\r\n")
PY
eight() { submit alice@example.org alice@example.org "$1" "$dir/$2" BODY=8BITMIME; }
eight a@plain.test text
eight a@plain.test parts
ok "8-bit text to a server without 8BITMIME: converted" within 20 taken '127.0.0.72 got [0-9]* text '
ok "it decodes to the same" same text text
ok "every part of a large message too" eval 'within 20 taken "127.0.0.72 got [0-9]* parts " && same parts parts'
ok "what was converted is signed as it was sent" python3 "$here/dkim_verify.py" "$dns" example.org "$dir/got/$(of text).eml" "$dir/got/$(of parts).eml"
eight b@eight.test signed
ok "another server of the destination has 8BITMIME: as it is" within 20 taken '127.0.0.73 got [0-9]* signed .*BODY=8BITMIME RCPT TO:<b@eight.test>'
eight c@plain.test signed
ok "a signed part is not converted: returned" within 20 told 'Status: 5.6.3'
ok "with the reason" told '8-bit text is signed or encrypted'

# --- SIZE ---
eight a@larger.test parts
ok "too big for the first server, not for the second" within 20 taken '127.0.0.71 got .*<a@larger.test>'
eight a@tiny.test parts
ok "too big everywhere: returned at once" within 20 told 'larger than any server of the destination takes'
ok "nothing went where it was not offered, and each SIZE was right" eval '! grep -a WRONG "$dir/got/taken"'
ok "no process died" eval '! grep -q event=process-died "$dir/log"'
finish
