# A running server in a folder of its own, on free loopback ports, for tests that drive the real binary. Sourced.
#
#   qasid_bin=$1; . tests/lib.sh; begin; add alice; serve; …; ok "what is proven" test …; finish
#
# Ports: $smtp $submission $submissions $pop3 $pop3s. Accounts are NAME@example.org, password secret-NAME.
set -u
export LC_ALL=C
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # Debian's own Python, which has the modules that tools/deps installs
qasid_bin=$(readlink -f "$qasid_bin")
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:quarantine_size_mb=16}
t_passed=0 t_failed=0

# The block of ports that is this test's alone (tests/ports.py).
for ports_block in $(shuf -i 80-249); do
  { exec {ports_lock}>>"/tmp/qasid-ports.$ports_block"; } 2>/dev/null || continue
  flock -n "$ports_lock" && break
  exec {ports_lock}>&-
done
: >"/tmp/qasid-ports.$ports_block"
ports_py=$(readlink -f "${BASH_SOURCE[0]%/*}/ports.py") # tests change their folder
free_ports() { "$ports_py" "/tmp/qasid-ports.$ports_block" "$1"; } # COUNT

# within SECONDS COMMAND…: until it succeeds. A machine that does much besides gets four times as long.
within() {
  local i n=$1
  shift
  for ((i = 0; i < n * 40; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  "$@"
}

begin() {
  dir=$(mktemp -d /tmp/qasid-test.XXXXXX)
  chmod 755 "$dir"
  export XDG_STATE_HOME=$dir/state
  read -r smtp submission submissions pop3 pop3s < <(free_ports 5)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=mx.example.org \
    -addext "subjectAltName=DNS:mx.example.org,DNS:localhost,IP:127.0.0.1" -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
  cat >"$dir/qasid.conf" <<EOF
hostname = "mx.example.org"
data_dir = "$dir/data"
run_dir = "$dir/run"
listen_smtp = { "127.0.0.1:$smtp" }
listen_submission = { "127.0.0.1:$submission" }
listen_submissions = { "127.0.0.1:$submissions" }
listen_pop3 = { "127.0.0.1:$pop3" }
listen_pop3s = { "127.0.0.1:$pop3s" }
tls_certificates = { "$dir/cert.pem" }
tls_keys = { "$dir/key.pem" }
EOF
  server=
  trap 'stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
}

option() { echo "$1 = $2" >>"$dir/qasid.conf"; }
q() { "$qasid_bin" -c "$dir/qasid.conf" "$@"; }
# It sends to servers on loopback that a name server there has, again soon; users log in to submit without TLS.
sends_at() { # PORT OF THE NAME SERVER, PORT OF THE MAIL SERVERS
  option dns_servers "{ \"127.0.0.1@$1\" }"
  option remote_port "$2"
  option send_private_addresses yes
  option retry_first 1
  option retry_most 2
  option plaintext_auth yes
  option auth_mechanisms '{ "PLAIN" }'
}

# The log goes on from server to server: it is ready with one line more.
ready_lines() {
  local n
  n=$(grep -c 'event=ready' "$dir/log" 2>/dev/null)
  echo "${n:-0}"
}
is_ready() { # LINES BEFORE
  local i
  for ((i = 0; i < 300; i++)); do
    [ "$(ready_lines)" -gt "${1:-0}" ] && return 0
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

serve() {
  local before
  before=$(ready_lines)
  "$qasid_bin" -c "$dir/qasid.conf" serve 2>>"$dir/log" &
  server=$!
  is_ready "$before" || { echo "the server did not start:"; tail -20 "$dir/log"; t_failed=$((t_failed + 1)); finish; }
}

wait_log() { # PATTERN [TENTHS]
  local i
  for ((i = 0; i < ${2:-100}; i++)); do
    grep -qE "$1" "$dir/log" 2>/dev/null && return 0
    sleep 0.1
  done
  return 1
}

stop() {
  [ -n "${server:-}" ] || return 0
  kill "$server" 2>/dev/null
  wait "$server"
  local code=$?
  server=
  return $code
}

add() { # NAME…
  local n
  q domain add example.org >/dev/null 2>&1
  for n; do q account add "$n@example.org" --password-stdin --legacy-auth <<<"secret-$n" >/dev/null; done
}

pid_of() { # ROOM: its (first) process
  local pid
  for pid in $(pgrep -P "$server"); do
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "--role $1" && { echo "$pid"; return; }
  done
}

ok() { # WHAT COMMAND…
  local what=$1
  shift
  if "$@" >"$dir/out" 2>&1; then
    t_passed=$((t_passed + 1))
    echo "ok    $what"
  else
    t_failed=$((t_failed + 1))
    echo "FAIL  $what: $*"
    sed 's/^/      /' "$dir/out" | tail -20
  fi
}
no() { ! "$@"; }
# Each argument is a step; all must do well.
all() { local step; for step; do eval "$step" || { echo "in: $step"; return 1; }; done; }
# A sentence in Python about `r`, the JSON on standard input.
json() { python3 -c 'import json,sys; r = json.load(sys.stdin); ok = eval(sys.argv[1]); ok or print(json.dumps(r, indent=1)[:2000]); sys.exit(not ok)' "$1"; }
is() { [ "$1" = "$2" ] || { echo "wanted: $2"; echo "got:    $1"; return 1; }; }

# A program of many tests (tests/real/*.py) that says "ok    …" or "FAIL  …" of each and whose end is reached.
suite() { # FILE ARGUMENT…
  local file=$1
  shift
  python3 "$(dirname "$0")/$file" "$@" 2>&1 | tee "$dir/suite"
  local code=${PIPESTATUS[0]}
  t_passed=$((t_passed + $(grep -c '^ok  ' "$dir/suite")))
  t_failed=$((t_failed + $(grep -c '^FAIL  ' "$dir/suite") + (code != 0)))
}

# The number of messages in an account's mailbox.
count_of() { q --json mail list "$1@example.org" | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))'; }

finish() {
  stop >/dev/null 2>&1
  local bad='AddressSanitizer|runtime error|LeakSanitizer'
  [ -n "${breaches_expected:-}" ] || bad="$bad|event=breach"
  if grep -aqE "$bad" "$dir/log" 2>/dev/null; then
    t_failed=$((t_failed + 1))
    grep -aE -A12 "$bad" "$dir/log" | head -40
  fi
  [ "$t_failed" -gt 0 ] && { echo "--- the server's log:"; tail -15 "$dir/log"; }
  echo "$t_passed passed, $t_failed failed"
  [ "$t_failed" -eq 0 ]
  exit
}
