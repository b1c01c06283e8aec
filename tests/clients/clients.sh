#!/bin/bash
# Real clients from Debian's packages, each sending by SMTP or fetching by POP3.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
add alice bob carol dave erin frank
serve
cd "$dir"
printf 'From: <alice@example.org>\r\nTo: <bob@example.org>\r\nSubject: by hand\r\n\r\nFirst line.\r\n.a line that begins with a dot\r\n' >mail.txt
# For clients that want text with LF alone.
tr -d '\r' <mail.txt >mail.lf
ca=$dir/cert.pem

# --- curl ---
curl_send() { curl -sS --cacert "$ca" --mail-from alice@example.org --mail-rcpt bob@example.org --upload-file mail.txt "$@"; }
ok "curl smtp to port 25" curl_send "smtp://localhost:$smtp/client.example.net"
ok "curl smtp with STARTTLS on port 25" curl_send --ssl-reqd "smtp://localhost:$smtp/client.example.net"
ok "curl submission, STARTTLS, AUTH PLAIN" curl_send --ssl-reqd --user alice@example.org:secret-alice --login-options AUTH=PLAIN "smtp://localhost:$submission/client.example.net"
ok "curl submissions, AUTH LOGIN" curl_send --user alice@example.org:secret-alice --login-options AUTH=LOGIN "smtps://localhost:$submissions/client.example.net"
ok "curl submission without login is refused" no curl_send --ssl-reqd "smtp://localhost:$submission/client.example.net"
ok "curl submission with a wrong password is refused" no curl_send --ssl-reqd --user alice@example.org:wrong "smtp://localhost:$submission/client.example.net"
ok "four messages are in the mailbox" is "$(count_of bob)" 4
curl_pop() { curl -sS --cacert "$ca" --user bob@example.org:secret-bob "$@"; }
ok "curl pop3s lists" is "$(curl_pop "pop3s://localhost:$pop3s/" | wc -l)" 4
ok "curl pop3 with STLS fetches the octets that were sent" bash -c "curl -sS --cacert '$ca' --ssl-reqd --user bob@example.org:secret-bob pop3://localhost:$pop3/1 | tail -n 6 | cmp - mail.txt"
ok "curl pop3 APOP" curl_pop --login-options AUTH=+APOP "pop3://localhost:$pop3/"

# --- swaks ---
swaks_() { swaks --silent 2 --server localhost --from alice@example.org --to carol@example.org --body "from swaks" "$@"; }
ok "swaks port 25 with STARTTLS" swaks_ --port "$smtp" --tls
ok "swaks submission AUTH LOGIN" swaks_ --port "$submission" --tls --auth LOGIN --auth-user alice@example.org --auth-password secret-alice
ok "swaks submissions AUTH PLAIN" swaks_ --port "$submissions" --tls-on-connect --auth PLAIN --auth-user alice@example.org --auth-password secret-alice
ok "swaks with pipelining" swaks_ --port "$smtp" --pipeline
ok "swaks: an unknown recipient is refused" no swaks_ --port "$smtp" --to nobody@example.org
ok "swaks: relaying is refused" no swaks_ --port "$smtp" --to someone@elsewhere.example
ok "four messages from swaks" is "$(count_of carol)" 4

# --- msmtp, mpop ---
ok "msmtp submission" bash -c "msmtp --host=localhost --port=$submission --tls=on --tls-starttls=on --tls-trust-file='$ca' --auth=plain --user=alice@example.org \
  --passwordeval='echo secret-alice' --from=alice@example.org dave@example.org <mail.lf"
ok "msmtp submissions" bash -c "msmtp --host=localhost --port=$submissions --tls=on --tls-starttls=off --tls-trust-file='$ca' --auth=login --user=alice@example.org \
  --passwordeval='echo secret-alice' --from=alice@example.org dave@example.org <mail.lf"
mkdir -p mpop-box/cur mpop-box/new mpop-box/tmp
mpop_() { mpop --host=localhost --user=dave@example.org --passwordeval='echo secret-dave' --tls-trust-file="$ca" --delivery=maildir,mpop-box --uidls-file="$dir/uidls" "$@"; }
ok "mpop STLS, keeps mail" mpop_ --port="$pop3" --tls=on --tls-starttls=on --auth=user --keep=on
ok "mpop got both" is "$(ls mpop-box/new | wc -l)" 2
ok "mpop again downloads nothing (UIDL)" mpop_ --port="$pop3s" --tls=on --tls-starttls=off --auth=user --keep=on
ok "still two" is "$(ls mpop-box/new | wc -l)" 2
ok "mpop APOP, deletes" mpop_ --port="$pop3" --tls=off --auth=apop --keep=off
ok "dave's mailbox is empty" is "$(count_of dave)" 0

# --- fetchmail ---
curl_send --mail-rcpt erin@example.org "smtp://localhost:$smtp/client.example.net"
cat >fetchmailrc <<EOF
poll localhost protocol pop3 port $pop3 username "erin@example.org" password "secret-erin" sslproto "TLS1.2+" sslcertck sslcertfile "$ca"
  mda "cat > $dir/fetched" no rewrite
EOF
chmod 600 fetchmailrc
ok "fetchmail with STLS" env HOME="$dir" fetchmail -f fetchmailrc --nodetach --nosyslog --pidfile "$dir/fetchmail.pid"
ok "fetchmail's message has its body" grep -q '^First line' fetched
ok "erin's mailbox is empty after it" is "$(count_of erin)" 0

# --- s-nail ---
ok "s-nail sends by submissions" bash -c "echo body | s-nail -:/ -Sv15-compat -Stls-ca-file='$ca' -Stls-verify=strict -Ssmtp-auth=plain \
  -Smta=smtps://alice%40example.org:secret-alice@localhost:$submissions -r alice@example.org -s 'from s-nail' frank@example.org"
sleep 0.5
ok "and it arrived" is "$(count_of frank)" 1

# --- Python's libraries ---
ok "smtplib and poplib" python3 - "$smtp" "$submission" "$submissions" "$pop3" "$pop3s" "$ca" <<'EOF'
import poplib, smtplib, ssl, sys
smtp, submission, submissions, pop3, pop3s = map(int, sys.argv[1:6])
context = ssl.create_default_context(cafile=sys.argv[6])
body = b"From: <alice@example.org>\r\nSubject: py\r\n\r\n" + b"".join(b".%d\r\n" % i for i in range(2000))
with smtplib.SMTP("localhost", submission) as s:
    s.starttls(context=context)
    s.login("alice@example.org", "secret-alice")
    s.sendmail("alice@example.org", ["frank@example.org", "erin@example.org"], body)
    assert s.has_extn("pipelining") and s.has_extn("size") and s.has_extn("8bitmime")
    try: s.sendmail("alice@example.org", ["nobody@example.org"], body)
    except smtplib.SMTPRecipientsRefused as e: assert e.recipients["nobody@example.org"][0] == 550
    else: raise AssertionError("unknown recipient was taken")
with smtplib.SMTP_SSL("localhost", submissions, context=context) as s:
    s.login("alice@example.org", "secret-alice")
    s.sendmail("alice@example.org", ["frank@example.org"], body)
p = poplib.POP3_SSL("localhost", pop3s, context=context)
p.user("frank@example.org"); p.pass_("secret-frank")
count, octets = p.stat()
assert count == 3, count
sizes = [int(l.split()[1]) for l in p.list()[1]]
for i in range(1, 4):
    _, lines, got = p.retr(i)
    assert sum(len(l) + 2 for l in lines) == sizes[i - 1], (i, sizes)
assert lines[-1] == b".1999" and sum(sizes) == octets
assert len({l.split()[1] for l in p.uidl()[1]}) == 3
_, head, _ = p.top(3, 0)
assert b"" in head and not any(l.startswith(b".") for l in head)
p.dele(1); p.rset(); assert p.stat()[0] == 3
p.dele(2); p.quit()
p = poplib.POP3("localhost", pop3)
assert "UIDL" in p.capa() and "TOP" in p.capa()
p.stls(context)
p.user("frank@example.org"); p.pass_("secret-frank")
assert p.stat()[0] == 2
p.close()  # without QUIT nothing is deleted
p = poplib.POP3("localhost", pop3)
p.apop("frank@example.org", "secret-frank")
assert p.stat()[0] == 2
p.quit()
EOF

# --- Postfix's load generator, where it is installed ---
if command -v smtp-source >/dev/null; then
  ok "smtp-source: 500 messages over 10 connections" smtp-source -s 10 -m 500 -l 4096 -f load@example.net -t erin@example.org "127.0.0.1:$smtp"
  ok "all of them are in the mailbox" is "$(count_of erin)" 501
fi
finish
