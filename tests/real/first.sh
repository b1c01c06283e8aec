#!/bin/bash
# Each feature is the first thing that happens in the life of the processes: a server is started anew for it, confined as a
# release is, and no process may end before it is told to. What a library does at its first use has to be done before that.
# A life has several firsts, as a process each has its own: what smtpd does first, what pop3d does first, and so on.
#   first.sh QASID [PATTERN]   only the lives whose names fit the pattern
qasid_bin=$1
pattern=${2:-.}
. "$(dirname "$0")/../lib.sh"
if nm "$qasid_bin" 2>/dev/null | grep -q __asan_init; then
  echo "skipped: sanitizers need a wider sandbox than a release has"
  echo "0 passed, 0 failed, 1 skipped"
  exit
fi
begin
base=$dir
cd "$base" || exit 1
for key in "alice -newkey rsa:2048" "bob -newkey ec -pkeyopt ec_paramgen_curve:P-256"; do
  read -r name how <<<"$key"
  # shellcheck disable=SC2086
  openssl req -x509 $how -nodes -days 30 -subj "/CN=$name" -keyout "$name.key" -out "$name.crt" 2>/dev/null
done
# RS256, ES256 and EdDSA without a library: keys and tokens by the openssl command.
python3 - <<'PY'
import base64, json, re, subprocess, time
def run(*a, data=None): return subprocess.run(["openssl", *a], input=data, capture_output=True, check=True).stdout
def b64(o): return base64.urlsafe_b64encode(o).rstrip(b"=").decode()
def key(name, *how):
    open(name + ".pem", "wb").write(run("genpkey", *how))
    return run("pkey", "-in", name + ".pem", "-pubout", "-outform", "DER")
def token(alg, kid, sign):
    parts = [b64(json.dumps(p).encode()) for p in ({"alg": alg, "kid": kid}, {"iss": "https://id.example.org", "aud": "mail", "exp": int(time.time()) + 3600, "email": "alice@example.org"})]
    open(kid + ".token", "w").write(".".join(parts + [b64(sign(".".join(parts).encode()))]) + "\n")
def ec_sign(t):
    der = run("dgst", "-sha256", "-sign", "ec.pem", data=t)
    n = der[3]; r, s = der[4:4 + n], der[6 + n:]
    return b"".join(x.lstrip(b"\0").rjust(32, b"\0") for x in (r, s))
def ed_sign(t):
    open("ed.text", "wb").write(t)
    return run("pkeyutl", "-sign", "-inkey", "ed.pem", "-rawin", "-in", "ed.text")
rsa, ec, ed = key("rsa", "-algorithm", "RSA"), key("ec", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), key("ed", "-algorithm", "ED25519")
n = bytes.fromhex(re.search(rb"Modulus=([0-9A-F]+)", run("rsa", "-in", "rsa.pem", "-noout", "-modulus")).group(1).decode())
json.dump({"keys": [{"kty": "RSA", "kid": "rsa", "n": b64(n), "e": "AQAB"}, {"kty": "EC", "kid": "ec", "crv": "P-256", "x": b64(ec[-64:-32]), "y": b64(ec[-32:])},
                    {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(ed[-32:])}]}, open("keys.json", "w"))
token("RS256", "rsa", lambda t: run("dgst", "-sha256", "-sign", "rsa.pem", data=t))
token("ES256", "ec", ec_sign)
token("EdDSA", "ed", ed_sign)
PY
echo "localhost alice@example.org secret-alice" >route-passwords
chmod 600 route-passwords
option smtpd_processes 1
option pop3d_processes 1
option scram yes
option oauth_keys "\"$base/keys.json\""
option oauth_issuer '"https://id.example.org"'
option oauth_audience '"mail"'
option client_certificates yes
option undelete_time 30d
option body_threshold 4K
option tls_authorities "\"$base/cert.pem\""
option collect_private_addresses yes
option send_private_addresses yes
option plaintext_networks '{ "127.0.0.0/8" }'
option auth_mechanisms '{ "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5" }'
add alice bob
q account certificate add alice@example.org alice.crt >/dev/null
q account certificate add bob@example.org bob.crt >/dev/null
{ printf 'From a@example.net Thu Jan  1 10:00:00 2026\nSubject: \303\244 small\nFrom: \303\266 <\303\266@example.net>\n\ntext\n\n'
  printf 'From a@example.net Thu Jan  1 10:00:00 2026\nSubject: \303\244 large\n\n'; yes "$(printf '%070d' 5)" | head -n 3000; } >box
q import alice@example.org box >/dev/null
cp -a data kept
q domain add elsewhere.example >/dev/null
q account add x@elsewhere.example --password-stdin <<<x >/dev/null

# The other server, for collecting from and sending to; it lives as long as the test.
far_smtp=$smtp far_submission=$submission far_pop3=$pop3 far_pop3s=$pop3s
serve
far_server=$server server=
trap 'kill $far_server 2>/dev/null; wait; rm -rf "$base"' EXIT

# One life: features in their order, the name of each in front of its command.
lives=0
read -ra ports < <(free_ports 100)
life() { # NAME COMMAND [NAME COMMAND]…
  [[ $* =~ $pattern ]] || return 0
  while [ "$(jobs -rp | wc -l)" -gt 2 ]; do wait -n; done # the other server is one of them
  lives=$((lives + 1))
  live "$lives" "$@" </dev/null >"$base/life-$lives" 2>&1 &
}
died() { grep -E 'event=process-died|was ended by signal|event=breach' log; }
feature() { # NAME COMMAND
  local why=
  eval "$2" >out 2>&1 || why="code $?"
  [ -n "$why" ] || { died >out && why="a process ended"; }
  if [ -n "$why" ]; then
    echo "FAIL  $1: $why"
    tail -n 5 out
    tail -n 5 log
  else
    echo "ok    $1"
  fi
}
live() { # NUMBER NAME COMMAND…
  local s
  dir=$base/l$1
  trap - EXIT
  mkdir "$dir"
  cp -a "$base/kept" "$dir/data"
  cp "$base/cert.pem" "$base/key.pem" "$dir"
  read -r smtp submission submissions pop3 pop3s <<<"${ports[*]:5 * $1 - 5:5}"
  shift
  sed -e "s,$base/data,$dir/data,; s,$base/run,$dir/run,; s,{ \"$base/cert.pem,{ \"$dir/cert.pem,; s,$base/key.pem,$dir/key.pem," -e '/^listen_/d' \
    "$base/qasid.conf" >"$dir/qasid.conf"
  for s in smtp submission submissions pop3 pop3s; do option listen_$s "{ \"127.0.0.1:${!s}\" }"; done
  option collect_ports "{ \"$far_pop3\", \"$far_pop3s\" }"
  option routes "{ \"${route:-* 127.0.0.1:$far_smtp tls=none}\" }"
  [[ "$*" = *collected* ]] || option collect no
  [[ "$*" = *sent* ]] || option send no
  [ -z "${route:-}" ] || option route_passwords "\"$base/route-passwords\""
  cd "$dir" || exit 1
  "$qasid_bin" -c "$dir/qasid.conf" serve 2>"$dir/log" &
  server=$!
  wait_log 'event=ready' 300 || { echo "FAIL  a server starts"; tail log; exit; }
  while [ $# -gt 0 ]; do
    feature "$1" "$2"
    shift 2
  done
  kill "$server" 2>/dev/null
  wait "$server"
  s=$?
  # shellcheck disable=SC2016
  feature "it ends" "[ $s = 0 ]"
}

# --- logins: alice has a password, verifiers, a recoverable secret and a certificate ---
list() { q fetch --list "$@" --password-stdin; }
pop() { list --auth "$1" --no-tls "pop3://alice%40example.org@localhost:$pop3" <<<secret-alice; }
pop_tls() { list --auth "$1" --ca "$base/cert.pem" "pop3://alice%40example.org@localhost:$pop3" <<<secret-alice; }
pops() { list --ca "$base/cert.pem" --auth "$@" "pop3s://alice%40example.org@localhost:$pop3s"; }
by_token() { pops "$1" <"$base/$2.token"; }
by_certificate() { pops external --client-cert "$base/$1.crt" --client-key "$base/$1.key" <<<x; }
submit() { # SECRET MECHANISM OPTION…
  { echo "$1"; printf 'From: alice@example.org\nSubject: x\n\nx\n'; } | q send "smtp://alice%40example.org@localhost:$submission" --auth "${@:2}" --from alice@example.org \
    --to "${to:-bob@example.org}" --password-stdin
}
smtp_plain() { submit secret-alice "$1" --no-starttls; }
smtp_tls() { submit "${2:-secret-alice}" "$1" --ca "$base/cert.pem"; }

# --- mail in and out ---
deliver() { printf 'Subject: x\n\nx\n' | q send "smtp://localhost:$smtp" "$@" --from a@example.net --to bob@example.org; }
large() { { printf 'Subject: x\n\n'; yes "$(printf '.%070d' 7)" | head -n 5000; } | q send "smtp://localhost:$smtp" --no-starttls --from a@example.net --to bob@example.org; }
talk() { # PORT TEXT PATTERN: all at once; what comes until the end fits the pattern
  python3 - "$@" <<'PY'
import re, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
got = b""
while True:
    try: more = s.recv(65536)
    except OSError: break
    if not more: break
    got += more
print(got[:500])
sys.exit(not re.search(sys.argv[3].encode(), got))
PY
}
pop3_says() { talk "$pop3" "USER alice@example.org\r\nPASS secret-alice\r\n$1QUIT\r\n" "$2"; }

# --- other servers ---
wait_for() { local i; for ((i = 0; i < 200; i++)); do "$@" && return 0; sleep 0.1; done; return 1; }
bob_has() { [ "$(count_of bob)" -ge "$1" ]; }
collected() { # URL OPTION…
  local had
  had=$(count_of bob)
  q account collect add bob@example.org "$@" --password-stdin <<<secret-alice && wait_for bob_has $((had + 2))
}
# Its own memory knows that this server has TLS; the sender is what is looked at.
sent() { to=x@elsewhere.example submit secret-alice plain --no-starttls --tls-is-gone && wait_for grep -E 'event=sent .*to=x@elsewhere.example' log; }

# --- the command line ---
new_certificate() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
  q reload && list --auth user --ca cert.pem "pop3s://alice%40example.org@localhost:$pop3s" <<<secret-alice
}
each() { # COMMAND…: every one is answered
  local c code
  for c; do
    # shellcheck disable=SC2086
    q $c <<<secret
    code=$?
    [ $code -lt 70 ] || { echo "$c: $code"; return 1; }
  done
}

# shellcheck disable=SC2016
{
  life "POP3: APOP without TLS" 'pop apop' "SMTP: a message without TLS" 'deliver --no-starttls' \
    "collector: APOP without TLS" 'collected "pop3://alice%40example.org@localhost:$far_pop3" --no-tls --auth apop' \
    "a backup" 'q backup backup.tar && tar tf backup.tar'
  life "POP3: CRAM-MD5 without TLS" 'pop cram-md5' "SMTP: STARTTLS" 'deliver --ca "$base/cert.pem"' \
    "collector: CRAM-MD5 without TLS" 'collected "pop3://alice%40example.org@localhost:$far_pop3" --no-tls --auth cram-md5' \
    "an export" 'q export alice@example.org out-box'
  life "SMTP: CRAM-MD5 without TLS" 'smtp_plain cram-md5' "POP3: SCRAM-SHA-256 without TLS" 'pop scram-sha-256' \
    "collector: SCRAM-SHA-256 without TLS" 'collected "pop3://alice%40example.org@localhost:$far_pop3" --no-tls --auth scram-sha-256' "check" 'q check'
  life "POP3: SCRAM-SHA-256-PLUS over STLS" 'pop_tls scram-sha-256-plus' "SMTP: SCRAM-SHA-256-PLUS over STARTTLS" 'smtp_tls scram-sha-256-plus' \
    "sender: without TLS" sent "the queue" 'each "queue list" "queue history x@elsewhere.example" "queue hold to=y" "queue release to=y" "queue retry to=y" "queue drop to=y --yes"'
  life "POP3S: OAUTHBEARER with an RSA key" 'by_token oauthbearer rsa' "SMTP: OAUTHBEARER over STARTTLS" 'smtp_tls oauthbearer "$(cat "$base/ed.token")"' \
    "an import" 'q import bob@example.org "$base/box"' "POP3: SCRAM-SHA-1-PLUS over STLS" 'pop_tls scram-sha-1-plus'
  life "POP3S: XOAUTH2 with a P-256 key" 'by_token xoauth2 ec' "SMTP: a large message" large "mail: deleted, list, undelete" \
    'each "mail deleted alice@example.org" "mail list alice@example.org" "mail undelete alice@example.org --all"'
  life "SMTP: OAUTHBEARER with an Ed25519 key" 'smtp_tls oauthbearer "$(cat "$base/ed.token")"' "POP3: a surrogate" 'pop3_says "RETR 1\r\n" "Subject: =\?"' \
    "POP3S: octets that are no TLS" 'talk "$pop3s" "QUIT\r\nQUIT\r\n" "" || [ $? = 1 ]'
  life "POP3S: a client's certificate (RSA)" 'by_certificate alice' "collector: TLS" 'collected "pop3s://alice%40example.org@localhost:$far_pop3s"' \
    "a migration" 'printf "bob@example.org\talice@example.org\tsecret-alice\n" >accounts && q migrate pop3 --from "localhost:$far_pop3" --ca "$base/cert.pem" --accounts accounts'
  life "POP3S: another account's certificate (P-256)" 'no by_certificate bob' "SMTP: an unknown recipient" \
    'no q send "smtp://localhost:$smtp" --no-starttls --from a@example.net --to nobody@example.org <<<x' \
    "accounts" 'each "account add carol@example.org --password-stdin" "account passwd carol@example.org --password-stdin" "account quota carol@example.org 10M" "account set carol@example.org expire 30d" "account limits carol@example.org" "account disable carol@example.org" "account enable carol@example.org" "account list" "account certificate list alice@example.org" "account delete carol@example.org --yes"'
  life "POP3S: a token that nobody signed" 'no pops oauthbearer <<<eyJhbGciOiJFUzI1NiJ9.e30.e30' "SMTP: a wrong password" 'no submit wrong plain --no-starttls' \
    "domains and aliases" 'each "domain add other.example" "alias add x@other.example bob@example.org" "alias list" "alias delete x@other.example" "domain delete other.example" "domain list"'
  life "a reload with a new certificate" new_certificate "a reload with a changed option" 'option message_size_limit 200K && q reload && deliver --no-starttls' \
    "POP3: an unknown user" 'no list --no-tls "pop3://nobody%40example.org@localhost:$pop3" <<<wrong' "resolver: a name" 'each "dns lookup localhost" "dns lookup example.invalid MX"' \
    "collector: a name that nobody has" '{ : collected; echo x | q account collect add bob@example.org "pop3s://alice@nowhere.invalid:$far_pop3s" --password-stdin; [ $? -lt 70 ]; }'
  life "POP3: a wrong password" 'no list --no-tls "pop3://alice%40example.org@localhost:$pop3" <<<wrong' "SMTP: PLAIN without TLS" 'smtp_plain plain' \
    "collector: STLS and SCRAM-SHA-256-PLUS" 'collected "pop3://alice%40example.org@localhost:$far_pop3" --auth scram-sha-256-plus' "fetch to an account" \
    'q fetch "pop3s://alice%40example.org@localhost:$far_pop3s" --ca "$base/cert.pem" --password-stdin --to account:alice@example.org <<<secret-alice'
  route="* 127.0.0.1:$far_smtp tls=opportunistic" life "POP3: a large message, from a file" 'pop3_says "UTF8\r\nRETR 2\r\n" "\n0{69}5"' "sender: STARTTLS" sent \
    "status, ps, trace" 'each status ps && { timeout 1 "$qasid_bin" -c qasid.conf trace 127.0.0.1 & deliver --no-starttls; }'
  route="* localhost:$far_submission tls=verified" life "SMTP: SCRAM-SHA-1 without TLS" 'smtp_plain scram-sha-1' "POP3: USER and PASS, a deletion" 'pop3_says "DELE 2\r\n" "\+OK"' \
    "sender: a login over verified TLS" sent "stop" 'q stop'
}
while [ "$(jobs -rp | wc -l)" -gt 1 ]; do wait -n; done
for ((i = 1; i <= lives; i++)); do
  cat "$base/life-$i"
  t_passed=$((t_passed + $(grep -c '^ok  ' "$base/life-$i")))
  t_failed=$((t_failed + $(grep -c '^FAIL  ' "$base/life-$i")))
done
dir=$base
server=$far_server
ok "the other server's processes live" no grep -qE 'event=process-died|was ended by signal|event=breach' "$base/log"
finish
