#!/bin/bash
# Postfix, Exim and OpenSMTPD, found through DNS, as the next servers and as senders: what is sent arrives octet for octet, what they
# send arrives here, mail that goes round in a circle ends, reports come back both ways.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../neighbours.sh"
[ "$(id -u)" = 0 ] || { echo "0 passed, 0 failed, 1 skipped"; exit 0; } # they begin as root
begin
(neighbours_get "${QASID_NEIGHBOURS:-/tmp/qasid-neighbours}") >"$dir/get" 2>&1 || { cat "$dir/get"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
root=${QASID_NEIGHBOURS:-/tmp/qasid-neighbours}/root
read -r dns port < <(free_ports 2)
dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --port="$dns" --listen-address=127.0.0.1 --bind-interfaces \
  --pid-file= --user="$(id -un)" --mx-host=postfix.test,mx.postfix.test,10 --address=/mx.postfix.test/127.0.0.70 \
  --mx-host=exim.test,mx.exim.test,10 --address=/mx.exim.test/127.0.0.71 \
  --mx-host=opensmtpd.test,mx.opensmtpd.test,10 --address=/mx.opensmtpd.test/127.0.0.72 --local=/test/ >"$dir/dnsmasq.log" 2>&1 &
names=$!
postfix_pid= exim_pid= opensmtpd_pid=
trap 'kill $names $exim_pid $postfix_pid $opensmtpd_pid 2>/dev/null; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
sends_at "$dns" "$port"
serve
add alice
postfix_neighbour "$dir/postfix" "$root" 127.0.0.70 "$port" "$smtp"
exim_neighbour "$dir/exim" "$root" 127.0.0.71 "$port" "$smtp"
opensmtpd_neighbour "$dir/opensmtpd" "$root" 127.0.0.72 "$port" "$smtp" && third=opensmtpd || third=

# A message of each kind, from a login here to all of them.
submit() { # NAME RECIPIENT…
  python3 - "$submission" "$dir/sent" "$@" <<'PY'
import smtplib, sys
head = b"From: alice@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\n"
kinds = {
    "plain": b"\r\nhello\r\n",
    "dots": b"\r\n.\r\n..\r\n.dot\r\n...\r\n.\r\n",
    "eight": b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + "Grüße, 漢字\r\n".encode(),
    "long": b"\r\n" + b"x" * 990 + b"\r\n" + b"y" * 998 + b"\r\n",
    "large": b"\r\n" + b"".join(b"line %06d of a large message, to be sent in many pieces\r\n" % i for i in range(8000)),
    "empty": b"\r\n",
    "bounce": b"\r\nto nobody\r\n",
    "circle": b"\r\nround\r\n",
}
name = sys.argv[3]
m = (head % (name.encode(), name.encode())) + kinds[name]
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.test", timeout=60)
s.login("alice@example.org", "secret-alice")
s.sendmail("alice@example.org", sys.argv[4:], m, mail_options=["body=8bitmime"])
s.quit()
PY
}
# The message of that name, as it lies in a folder, is what was submitted, behind fields of the servers on the way.
arrived() { # FOLDER NAME
  python3 - "$1" "$2" "$dir/want" <<'PY'
import glob, hashlib, sys
for f in glob.glob(sys.argv[1] + "/new/*"):
    m = open(f, "rb").read().replace(b"\r\n", b"\n")
    at = m.find(b"From: alice@example.org\nSubject: %s\n" % sys.argv[2].encode())
    if at < 0: continue
    body = m[at:].split(b"\n\n", 1)[1]
    want = open(sys.argv[3], "rb").read().split(b"== %s\n" % sys.argv[2].encode(), 1)[1].split(b"\n", 1)[0]
    if hashlib.sha256(body).hexdigest().encode() == want: sys.exit(0)
    print(f, len(body), "octets differ:", body[:200])
sys.exit(1)
PY
}
wanted() {
  python3 - >"$dir/want" <<'PY'
import hashlib
kinds = {"plain": b"hello\n", "dots": b".\n..\n.dot\n...\n.\n", "eight": "Grüße, 漢字\n".encode(), "empty": b"",
         "long": b"x" * 990 + b"\n" + b"y" * 998 + b"\n",
         "large": b"".join(b"line %06d of a large message, to be sent in many pieces\n" % i for i in range(8000))}
for k, b in kinds.items(): print("== %s\n%s" % (k, hashlib.sha256(b).hexdigest()))
PY
}
wanted
here() { rm -rf "$dir/mails"; q export alice@example.org "$dir/mails" >/dev/null && grep -rlq -- "$1" "$dir/mails"; }
logged() { grep -qE "$1" "$dir/log"; }
from() { # ADDRESS RECIPIENT SUBJECT: a message that begins there
  python3 - "$1" "$port" "$2" "$3" <<'PY'
import smtplib, sys
s = smtplib.SMTP(sys.argv[1], int(sys.argv[2]), local_hostname="client.test", timeout=60)
s.sendmail("sender@elsewhere.test", [sys.argv[3]], "From: sender@elsewhere.test\r\nSubject: %s\r\n\r\n.hi\r\n" % sys.argv[4])
s.quit()
PY
}

for kind in plain dots eight long large empty; do submit $kind bob@postfix.test carl@postfix.test bob@exim.test carl@exim.test ${third:+"bob@$third.test" "carl@$third.test"}; done
for kind in plain dots eight long large empty; do
  ok "Postfix has what was sent: $kind" within 30 arrived "$dir/postfix/mail/bob" $kind
  ok "Exim has what was sent: $kind" within 30 arrived "$dir/exim/mail/bob" $kind
  ok "both recipients of one message: $kind" all "within 30 arrived $dir/postfix/mail/carl $kind" "within 30 arrived $dir/exim/mail/carl $kind"
  [ "$third" ] && ok "OpenSMTPD has what was sent, for both: $kind" all "within 30 arrived $dir/opensmtpd/mail/bob $kind" "within 30 arrived $dir/opensmtpd/mail/carl $kind"
done
ok "TLS with Postfix" logged 'event=sent .*to=bob@postfix.test.*tls=TLSv1'
ok "TLS with Exim" logged 'event=sent .*to=bob@exim.test.*tls=TLSv1'
submit bounce nobody@postfix.test nobody@exim.test
ok "Postfix refuses: the sender is told" within 30 here 'Final-Recipient: rfc822; nobody@postfix.test'
ok "Exim refuses: the sender is told" within 30 here 'Final-Recipient: rfc822; nobody@exim.test'
from 127.0.0.70 back@postfix.test "Postfix begins"
from 127.0.0.71 back@exim.test "Exim begins"
ok "Postfix sends to us" within 30 here 'Subject: Postfix begins'
ok "Exim sends to us" within 30 here 'Subject: Exim begins'
q account forward alice@example.org back@postfix.test --keep >/dev/null
submit circle back@exim.test
ok "a circle over Exim, us and Postfix ends with a report" within 120 here 'it was forwarded by the same address before'
q account forward alice@example.org none >/dev/null
ok "nothing is left in the queue" within 30 no grep -q '@' <(q queue list)
submit plain lost@postfix.test
ok "a report of Postfix comes back" within 120 here 'This is the mail system at host mx.postfix.test'
submit plain lost@exim.test
ok "a report of Exim comes back" within 120 here 'This message was created automatically by mail delivery software'
if [ "$third" ]; then
  # 6.8 with OpenSSL 3 offers STARTTLS and cannot sign: "alert internal error" to everybody.
  if echo QUIT | timeout 10 openssl s_client -starttls smtp -connect "127.0.0.72:$port" 2>&1 | grep -q 'alert internal error'; then
    ok "OpenSMTPD's TLS is broken: in the clear at once, and that is logged" logged 'event=no-tls .*127.0.0.72'
  else
    ok "TLS with OpenSMTPD" logged 'event=sent .*to=bob@opensmtpd.test.*tls=TLSv1'
  fi
  submit bounce nobody@opensmtpd.test
  ok "OpenSMTPD refuses: the sender is told" within 30 here 'Final-Recipient: rfc822; nobody@opensmtpd.test'
  from 127.0.0.72 back@opensmtpd.test "OpenSMTPD begins"
  ok "OpenSMTPD sends to us" within 30 here 'Subject: OpenSMTPD begins'
  ok "with TLS" logged 'event=message .*from=sender@elsewhere.test .*tls="?TLSv1'
  q account forward alice@example.org back@opensmtpd.test --keep >/dev/null
  submit circle back@opensmtpd.test
  ok "a circle over it and us ends with a report" within 120 here 'Final-Recipient: rfc822; back@opensmtpd.test'
  q account forward alice@example.org none >/dev/null
  submit plain lost@opensmtpd.test
  ok "a report of OpenSMTPD comes back" within 120 here 'From: Mailer Daemon <MAILER-DAEMON@mx.opensmtpd.test>'
  ok "nothing is left for it in the queue" within 30 no grep -q '@' <(q queue list)
fi
ok "no process was lost" no grep -qE 'event=(process-lost|lost)' "$dir/log"
finish
