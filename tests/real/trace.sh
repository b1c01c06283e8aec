#!/bin/bash
# `qasid trace`: what clients that nobody here wrote say and hear, as it is shown: with the greeting, mechanisms, times and states,
# without secrets. And a client that refuses our certificate, told from one that never began TLS.
qasid_bin=$1
here=$(readlink -f "$(dirname "$0")")
. "$here/../lib.sh"
begin
option plaintext_auth yes
option auth_mechanisms '{ "PLAIN", "LOGIN", "CRAM-MD5" }'
add alice
serve
cd "$dir" || exit 1

"$qasid_bin" -c qasid.conf trace 127.0.0.1 >trace.out 2>trace.err &
tracer=$!
"$qasid_bin" -c qasid.conf --json trace 127.0.0.1 >trace.json &
tracer_json=$!
for _ in $(seq 300); do # it watches when a connection is seen
  exec 3<>"/dev/tcp/127.0.0.1/$pop3" && exec 3<&- 3>&-
  [ -s trace.out ] && [ -s trace.json ] && break
  sleep 0.1
done
printf 'From: <alice@example.org>\r\nSubject: hello\r\n\r\nbody-of-the-mail\r\n' >mail
for mech in PLAIN LOGIN CRAM-MD5; do
  curl -sS --cacert cert.pem --ssl-reqd --url "smtp://localhost:$submission" --login-options "AUTH=$mech" -u alice@example.org:secret-alice \
    --mail-from alice@example.org --mail-rcpt alice@example.org -T mail
done
for mech in PLAIN LOGIN CRAM-MD5; do
  curl -sS --cacert cert.pem --ssl-reqd --url "pop3://localhost:$pop3/1" --login-options "AUTH=$mech" -u alice@example.org:secret-alice >/dev/null
done
curl -sS --sasl-ir --cacert cert.pem --ssl-reqd --url "pop3://localhost:$pop3/1" --login-options AUTH=PLAIN -u alice@example.org:secret-alice >/dev/null
curl -sS --sasl-ir --cacert cert.pem --ssl-reqd --url "smtp://localhost:$submission" --login-options AUTH=PLAIN -u alice@example.org:secret-alice \
  --mail-from alice@example.org --mail-rcpt alice@example.org -T mail
python3 - "$pop3" "$submission" "$pop3s" <<'END'
import base64, poplib, socket, ssl, sys
p = poplib.POP3("127.0.0.1", int(sys.argv[1]))
p.user("alice@example.org"), p.pass_("secret-alice"), p.quit()
p = poplib.POP3("127.0.0.1", int(sys.argv[1]))
p.apop("alice@example.org", "secret-alice"), p.quit()
for port, hello in (int(sys.argv[1]), None), (int(sys.argv[2]), b"EHLO x\r\n"):  # a password where a mechanism is meant
    s = socket.create_connection(("127.0.0.1", port)); f = s.makefile("rb"); f.readline()
    if hello:
        s.sendall(hello)
        while f.readline()[3:4] == b"-": pass
    s.sendall(b"AUTH secret-alice\r\n"); f.readline(); s.sendall(b"QUIT\r\n"); f.readline()
END

# --- certificates ---
refuse() { # PORT [STARTTLS]: openssl, which trusts nobody
  openssl s_client -connect "127.0.0.1:$1" ${2:+-starttls "$2"} -verify_return_error -CAfile /etc/ssl/certs/ca-certificates.crt </dev/null >/dev/null 2>&1
}
refuse "$submissions"
refuse "$submission" smtp
refuse "$pop3" pop3
python3 - "$pop3s" <<'END'
import poplib, ssl, sys
try: poplib.POP3_SSL("127.0.0.1", int(sys.argv[1]), context=ssl.create_default_context())
except ssl.SSLError: pass
END
exec 3<>"/dev/tcp/127.0.0.1/$pop3s" && exec 3<&- 3>&- # a scan of ports
sleep 0.5
kill -INT "$tracer" "$tracer_json"
wait "$tracer" "$tracer_json" 2>/dev/null

line='^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3} [0-9a-f-]+ '
has() { grep -qE "$line$1" trace.out; }
ok "every line has a time, a session and who says it" no grep -qvE "${line}[CS*]: " trace.out
ok "where a connection comes to" all 'has "\*: submission from 127\.0\.0\.1$"' 'has "\*: pop3s from 127\.0\.0\.1$"'
ok "the greetings" all 'has "S: 220 mx\.example\.org ESMTP"' 'has "S: \+OK POP3 server ready"'
for mech in PLAIN LOGIN CRAM-MD5; do
  ok "$mech by its name" is "$(grep -cE "${line}C: AUTH $mech( \*\*\*)?$" trace.out)" "$([ $mech = PLAIN ] && echo 4 || echo 2)"
done
ok "APOP, its user and no digest" has 'C: APOP alice@example\.org \*\*\*$'
ok "challenges and responses are hidden" all 'has "S: 334 \*\*\*$"' 'has "S: \+ \*\*\*$"' 'has "C: \*\*\*$"'
ok "so is a password where a mechanism is meant" is "$(grep -cE "${line}C: AUTH \*\*\*$" trace.out)" 2
ok "who logged in, alike" is "$(grep -cE "${line}\*: logged in as alice@example\.org$" trace.out)" 10
ok "states, alike" all 'has "\*: state start > ready$"' 'has "\*: state ready > tls$"' 'has "\*: state sasl > ready$"' \
  'has "\*: state authorization > tls$"' 'has "\*: state tls > authorization$"' 'has "\*: state sasl > authorization$"' \
  'has "\*: state authorization > transaction$"'
ok "each AUTH is a state of its own, alike" is "$(grep -A1 -E 'C: AUTH [A-Z]' trace.out | grep -oE 'state (ready|authorization) > sasl' | sort | uniq -c | xargs)" \
  "4 state authorization > sasl 4 state ready > sasl"
ok "the list of capabilities" all 'has "S: SASL PLAIN LOGIN CRAM-MD5$"' 'has "S: PIPELINING$"' 'has "S: IMPLEMENTATION Qasid$"' 'has "S: 250-AUTH PLAIN LOGIN CRAM-MD5$"'
ok "TLS, alike" [ "$(grep -cE "${line}\*: TLSv1\.3 TLS_AES" trace.out)" -ge 6 ]
ok "the end" has '\*: closed: quit$'
ok "no secret, no mail" no grep -qE "secret|body-of|$(printf 'secret-alice' | base64)|$(printf '\0alice@example.org\0secret-alice' | base64 | cut -c1-20)" trace.out trace.json
ok "in JSON, with the date" python3 -c '
import datetime, json
rows = [json.loads(l) for l in open("trace.json")]
assert {tuple(r) for r in rows} == {("time", "session", "from", "line")}, rows[0]
times = [datetime.datetime.fromisoformat(r["time"].replace("Z", "+00:00")) for r in rows]
now = datetime.datetime.now(datetime.timezone.utc)
assert all(abs((now - t).total_seconds()) < 60 for t in times)'
ok "a certificate that is refused: in the trace" has '\*: closed: certificate-refused: the client refused our certificate: (unknown_ca|bad_certificate)'

ok "in the log, for each way to TLS" is "$(grep -oE 'event=closed .*service=[a-z0-9]+ .*why=certificate-refused tls="the client refused our certificate: (unknown_ca|bad)' log | grep -oE 'service=[a-z0-9]+' | sort | xargs)" \
  "service=pop3 service=pop3s service=submission service=submissions"
ok "and as a warning, once a minute of the same" is "$(grep -cE 'level=warn .*event=certificate-refused .*msg="the client refused our certificate: .* count=1$' log)" "$(grep 'event=certificate-refused' log | grep -oE 'process=\S+' | sort -u | wc -l)"
ok "a scan is something else" grep -qE 'event=closed .*service=pop3s .*why=tls-failed tls="the client sent nothing: TLS never began"' log
ok "status counts it" grep -qE 'certificate-refused' <(q status)
finish
