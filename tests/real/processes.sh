#!/bin/bash
# The processes as processes: each is killed at any time, is back within a second, and no acknowledged mail is
# lost; reload; what an operator sees.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
add alice bob
exec 19</etc/passwd # as a careless starter may leave it open
serve
exec 19<&-

processes() { q --json ps 2>/dev/null | head -1 >/dev/null; q status; }
ok "status answers" q status
ok "all processes are there" bash -c "for r in smtpd pop3d auth keys store; do ps -o args= --ppid $server | grep -q -- \"--role \$r\" || exit 1; done"

ok "no process has a descriptor that the server was started with" bash -c "for p in \$(pgrep -P $server); do ! readlink /proc/\$p/fd/* | grep -q /etc/passwd || exit 1; done"
rights() { # the parent's, once its ports are bound, in hexadecimal: KILL SETGID SETUID IPC_LOCK SYS_CHROOT DAC_READ_SEARCH
  [ "$(id -u)" != 0 ] || [ $((0x$(sed -n 's/^CapEff:\s*//p' "/proc/$server/status") & ~0x440e4)) = 0 ] &&
    [ $((0x$(sed -n 's/^CapPrm:\s*//p' "/proc/$server/status") & ~0x440e4)) = 0 ]
}
ok "the parent keeps few of root's rights" rights
ok "the processes have none" bash -c "for p in \$(pgrep -P $server); do grep -q '^CapPrm:.*0000000000000000' /proc/\$p/status || exit 1; done"

# A process is back within a second when its process is another one and the whole job works again.
job_works() {
  python3 - "$smtp" "$pop3s" "$dir/cert.pem" <<'EOF'
import poplib, smtplib, ssl, sys
with smtplib.SMTP("localhost", int(sys.argv[1]), timeout=5) as s:
    s.starttls(context=ssl.create_default_context(cafile=sys.argv[3]))
    s.sendmail("a@example.net", ["bob@example.org"], b"Subject: x\r\n\r\nx\r\n")
p = poplib.POP3_SSL("localhost", int(sys.argv[2]), timeout=5, context=ssl.create_default_context(cafile=sys.argv[3]))
p.user("bob@example.org"); p.pass_("secret-bob")
assert p.stat()[0] >= 1
p.quit()
EOF
}
back() { # ROOM
  local old new i
  old=$(pid_of "$1")
  kill -9 "$old"
  for ((i = 0; i < 100; i++)); do
    new=$(pid_of "$1")
    [ -n "$new" ] && [ "$new" != "$old" ] && break
    sleep 0.01
  done
  [ -n "$new" ] && [ "$new" != "$old" ] || { echo "$1 did not come back"; return 1; }
  job_works
}
ok "the whole job works" job_works
for process in smtpd pop3d auth keys store resolver collector pickup; do ok "$process is killed and back" back "$process"; done

# Clients deliver and keep what was acknowledged while processes die.
ok "kills under load lose nothing that was acknowledged" python3 - "$server" "$smtp" "$pop3s" "$dir/cert.pem" <<'EOF'
import os, poplib, random, re, signal, smtplib, ssl, subprocess, sys, threading, time
parent, smtp, pop3s = map(int, sys.argv[1:4])
context = ssl.create_default_context(cafile=sys.argv[4])
acknowledged, unknown, stop, lock = set(), set(), threading.Event(), threading.Lock()
def deliver(worker):
    n = 0
    while not stop.is_set():
        try:
            with smtplib.SMTP("localhost", smtp, timeout=5) as s:
                for _ in range(5):
                    n += 1
                    name = "w%d-%d" % (worker, n)
                    with lock: unknown.add(name)
                    s.sendmail("a@example.net", ["alice@example.org"], ("Subject: %s\r\n\r\n%s" % (name, ("x" * 70 + "\r\n") * random.choice((1, 50, 3000)))).encode())
                    with lock: acknowledged.add(name)
        except (OSError, smtplib.SMTPException): time.sleep(0.02)
workers = [threading.Thread(target=deliver, args=(i,)) for i in range(6)]
for w in workers: w.start()
random.seed(7)
deaths = 0
end = time.monotonic() + 12
while time.monotonic() < end:
    time.sleep(random.uniform(0.05, 0.5))
    pids = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True).stdout.split()
    victims = []
    for pid in pids:
        try:
            process = open("/proc/%s/cmdline" % pid, "rb").read().split(b"\0")[2].decode()
            if process in ("smtpd", "store"): victims.append(int(pid))
        except (OSError, IndexError): pass
    if victims:
        try: os.kill(random.choice(victims), signal.SIGKILL); deaths += 1
        except ProcessLookupError: pass
stop.set()
for w in workers: w.join()
def fetch():
    p = poplib.POP3_SSL("localhost", pop3s, timeout=20, context=context)
    p.user("alice@example.org"); p.pass_("secret-alice")
    got = {}
    for i in range(1, p.stat()[0] + 1):
        lines = p.retr(i)[1]
        name = next(l[9:].decode() for l in lines if l.startswith(b"Subject: "))
        body = lines[lines.index(b"") + 1:]
        assert len(body) in (1, 50, 3000) and set(body) == {b"x" * 70}, name
        got[name] = got.get(name, 0) + 1
    p.quit()
    return got
for attempt in range(50):
    try: got = fetch(); break
    except (OSError, poplib.error_proto): time.sleep(0.2)
lost = acknowledged - set(got)
twice = [n for n in got if got[n] > 1]
print(len(acknowledged), "acknowledged,", deaths, "deaths")
assert not lost, ("lost", sorted(lost)[:5])
assert not twice, ("twice", twice[:5])
assert set(got) <= unknown and deaths >= 15 and len(acknowledged) > 50, (deaths, len(acknowledged))
EOF
ok "the store checks clean after it" q check

# --- reload ---
before=
while [ -z "$before" ]; do before=$(pid_of smtpd); sleep 0.1; done # the last one may just have died
ok "a mistake in the configuration is named" bash -c "cp $dir/qasid.conf $dir/good.conf; echo 'message_size_limit = banana' >>$dir/qasid.conf; ! $qasid_bin -c $dir/qasid.conf check-config"
kill -HUP "$server"
ok "the reload says so and keeps the old configuration" wait_log 'message_size_limit.*banana|banana.*message_size_limit|nothing changed' 30
cp "$dir/good.conf" "$dir/qasid.conf"
option message_size_limit 100K
kill -HUP "$server"
ok "a good reload is done" wait_log 'event=reload msg=done' 30
sleep 0.3
ok "it takes effect" bash -c "printf 'EHLO x.example\r\nQUIT\r\n' | timeout 5 curl -s telnet://localhost:$smtp | grep -q 'SIZE 102400'"
ok "no process was replaced for it" is "$(pid_of smtpd)" "$before"

sed -i 's,^data_dir.*,data_dir = "/nonexistent",' "$dir/qasid.conf"
kill -HUP "$server"
ok "what needs a restart waits for it" wait_log 'next start only: data_dir' 30
again() { # who died often comes back later
  kill -9 "$(pid_of store)"
  for ((i = 0; i < 30; i++)); do job_works 2>/dev/null && return; sleep 0.5; done
  return 1
}
ok "a store that is started again finds its folder" again
cp "$dir/good.conf" "$dir/qasid.conf"
sed -i '/^tls_/d' "$dir/qasid.conf"
kill -HUP "$server"
ok "TLS does not end under way" wait_log 'TLS begins or ends with a restart only' 30
ok "and goes on" job_works
cp "$dir/good.conf" "$dir/qasid.conf"

# --- what `qasid reload` says, once all processes have answered ---
says() { # EXIT PATTERN: of a reload
  local code=0
  q reload >"$dir/reload" 2>&1 || code=$?
  cat "$dir/reload"
  [ "$code" = "$1" ] && grep -qE "$2" "$dir/reload"
}
ok "a reload that changes nothing is done" says 0 '^done$'
option message_size_limit 200K
ok "an option that has changed is named, and is in effect at once" bash -c "
  $qasid_bin -c $dir/qasid.conf reload | grep -q '^changed: message_size_limit$' &&
  printf 'EHLO x.example\r\nQUIT\r\n' | timeout 5 curl -s telnet://localhost:$smtp | grep -q 'SIZE 204800'"
cp "$dir/cert.pem" "$dir/good-cert.pem"
cp "$dir/key.pem" "$dir/good-key.pem"
echo garbage >"$dir/cert.pem"
ok "a garbage certificate is refused" says 78 'nothing changed: the running configuration stays'
ok "and named" grep -q cert.pem "$dir/reload"
{ cat "$dir/good-cert.pem"; printf -- '-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n'; } >"$dir/cert.pem"
ok "so is garbage further down its chain" says 78 'nothing changed'
cp "$dir/good-cert.pem" "$dir/cert.pem"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/key.pem" 2>/dev/null
ok "so is another's key" says 78 'key.pem" is not the key of'
# The same words by both, with the file's name; nothing hangs.
alike() { # WHAT PATTERN [EXIT of check-config]
  ok "$1: reload" says 78 "^qasid: $2"
  timeout 10 "$qasid_bin" -c "$dir/qasid.conf" check-config >"$dir/check" 2>&1
  ok "$1: check-config" is "$? $(grep -cE "qasid\.conf: $2" "$dir/check")" "${3:-78} 1"
  rm -rf "$dir/cert.pem" "$dir/key.pem"
  cp "$dir/good-cert.pem" "$dir/cert.pem"
  cp -p "$dir/good-key.pem" "$dir/key.pem"
}
alike "another's key" "tls_keys: \"$dir/key\.pem\" is not the key of \"$dir/cert\.pem\""
chmod 600 "$dir/good-key.pem" "$dir/key.pem"
echo garbage >"$dir/cert.pem"
alike "garbage for a certificate" "tls_certificates: \"$dir/cert\.pem\" has no certificate"
echo garbage >"$dir/key.pem"
alike "garbage for a key" "tls_keys: \"$dir/key\.pem\" has no private key"
printf -- '-----BEGIN PRIVATE KEY-----\nZ2FyYmFnZQ==\n-----END PRIVATE KEY-----\n' >"$dir/key.pem"
alike "garbage inside a key" "tls_keys: \"$dir/key\.pem\": the private key can't be used"
printf -- '-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n' >>"$dir/cert.pem"
alike "garbage in a chain" "tls_certificates: \"$dir/cert\.pem\": its certificate number 2 can't be read"
: >"$dir/cert.pem"
alike "an empty certificate" "tls_certificates: \"$dir/cert\.pem\" has no certificate"
cp "$dir/good-cert.pem" "$dir/key.pem"
alike "a certificate for a key" "tls_keys: \"$dir/key\.pem\" has no private key"
for of in cert:tls_certificates key:tls_keys; do
  rm "$dir/${of%:*}.pem"
  alike "${of%:*} that is missing" "${of#*:}: \"$dir/${of%:*}\.pem\": No such file"
  rm "$dir/${of%:*}.pem"
  mkdir "$dir/${of%:*}.pem"
  alike "${of%:*} that is a folder" "${of#*:}: \"$dir/${of%:*}\.pem\": it is a folder"
  rm "$dir/${of%:*}.pem"
  mkfifo "$dir/${of%:*}.pem"
  alike "${of%:*} that is a FIFO" "${of#*:}: \"$dir/${of%:*}\.pem\": it is not a regular file"
done
openssl req -new -key "$dir/key.pem" -subj /CN=mx.example.org -out "$dir/old.csr" 2>/dev/null
(cd "$dir" && : >index.txt && openssl ca -config <(printf '[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\n') \
  -selfsign -keyfile key.pem -in old.csr -out cert.pem -notext -batch -startdate 20200101000000Z -enddate 20210101000000Z) >/dev/null 2>&1
alike "one that has expired" "tls_certificates: (warning: )?\"$dir/cert\.pem\" expired on 2021-01-01; clients refuse it" 0
sed "s#^data_dir.*#data_dir = \"$dir/second\"#; s#^run_dir.*#run_dir = \"$dir/second-run\"#; s#^listen.*##" "$dir/qasid.conf" >"$dir/second.conf"
echo garbage >"$dir/key.pem"
timeout 20 "$qasid_bin" -c "$dir/second.conf" serve 2>"$dir/second.log"
ok "a start says the same" is "$? $(grep -c 'msg="tls_keys: .*key\.pem.* has no private key' "$dir/second.log")" "78 1"
cp -p "$dir/good-key.pem" "$dir/key.pem"
ok "the old ones are served" job_works
kill -9 "$(pid_of keys)" "$(pid_of smtpd)" "$(pid_of pop3d)"
ok "also by processes that start anew" within 15 job_works
cp "$dir/good-key.pem" "$dir/key.pem"
ok "the right files again" says 0 '^done$'
slow=$(pid_of auth)
kill -STOP "$slow"
(sleep 2; kill -CONT "$slow") &
from=$SECONDS
ok "it waits for a process that is slow" says 0 '^done$'
ok "as long as that takes" test $((SECONDS - from)) -ge 1

# --- a new certificate, without dropping connections ---
ok "certificates are replaced under an open connection" python3 - "$qasid_bin" "$pop3s" "$dir" <<'EOF'
import poplib, ssl, subprocess, sys
binary, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=folder + "/cert.pem")
def serial(): return ssl.get_server_certificate(("localhost", port))
old = poplib.POP3_SSL("localhost", port, context=context)
first = serial()
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=mx.example.org",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"], check=True, capture_output=True)
subprocess.run([binary, "-c", folder + "/qasid.conf", "reload"], check=True)
assert serial() != first # every process has it once the command has ended
old.user("bob@example.org"); old.pass_("secret-bob"); old.quit()
EOF

# --- stop ---
ok "it stops cleanly" stop
ok "no process is left behind" no pgrep -f "$qasid_bin --role"
finish
