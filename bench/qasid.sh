# Qasid on ports of its own, for measurements. Sourced by bench/run.

# qasid_start DIR USERS → $qasid_pid, $qasid_smtp, $qasid_pop3, $qasid_220_ms, $qasid_ok_ms
qasid_start() {
  local d=$1 i
  qasid_dir=$d qasid_smtp=12625 qasid_pop3=12610
  mkdir -p "$d"
  chmod 755 "$d" "$(dirname "$d")"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$d/key.pem" -out "$d/cert.pem" 2>/dev/null
  cat >"$d/qasid.conf" <<EOF
hostname = "mx.bench.example"
data_dir = "$d/data"
run_dir = "$d/run"
listen_smtp = { "127.0.0.1:$qasid_smtp" }
listen_submission = {}
listen_submissions = {}
listen_pop3 = { "127.0.0.1:$qasid_pop3" }
listen_pop3s = { "127.0.0.1:12695" }
tls_certificates = { "$d/cert.pem" }
tls_keys = { "$d/key.pem" }
plaintext_auth = yes
connections_per_address = 100000
log_level = "warn"
EOF
  "$out/qasid" -c "$d/qasid.conf" serve 2>"$d/log" &
  qasid_pid=$!
  read -r qasid_220_ms qasid_ok_ms < <(python3 - "$qasid_smtp" "$qasid_pop3" <<'EOF'
import socket, sys, time
begin = time.monotonic()
def first(port):
    while time.monotonic() - begin < 10:
        try:
            s = socket.create_connection(("127.0.0.1", port))
            s.recv(100)
            return (time.monotonic() - begin) * 1000
        except OSError: time.sleep(0.001)
print("%.0f %.0f" % (first(int(sys.argv[1])), first(int(sys.argv[2]))))
EOF
  )
  "$out/qasid" -c "$d/qasid.conf" domain add bench.example >/dev/null
  for ((i = 0; i < $2; i++)); do qasid_account "user$i"; done
}

qasid_account() { "$out/qasid" -c "$qasid_dir/qasid.conf" account add "$1@bench.example" --password-stdin <<<secret >/dev/null; }

# pop0 … have 10 messages of 4 KB, big0 … big3 have 1,000 of 50 KB.
qasid_fill() {
  local i
  for ((i = 0; i < $1; i++)); do qasid_account "pop$i"; done
  for i in 0 1 2 3; do qasid_account "big$i"; done
  "$load" smtp "$qasid_smtp" --messages $((10 * $1)) --size 4096 --mode pipeline --users "$1" --to 'pop%d@bench.example' >/dev/null
  "$load" smtp "$qasid_smtp" --messages 4000 --size 51200 --mode pipeline --users 4 --to 'big%d@bench.example' >/dev/null
}

# Kilobytes of proportional set size of every process of one room.
pss_of() {
  local pid sum=0 kb
  for pid in $(pgrep -P "$qasid_pid"); do
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "--room $1" || continue
    kb=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
    sum=$((sum + kb))
  done
  echo "$sum"
}

qasid_memory() {
  local n=5000 before after room port
  for room in smtpd pop3d; do
    port=$([ $room = smtpd ] && echo "$qasid_smtp" || echo "$qasid_pop3")
    before=$(pss_of $room)
    "$1" idle "$port" --connections $n --hold 4 >/dev/null &
    sleep 3
    after=$(pss_of $room)
    wait $!
    awk -v r=$room -v a="$after" -v b="$before" -v n=$n 'BEGIN { printf "Idle %s connection: %.2f KB of PSS (%d connections; the processes alone: %d KB)\n", r, (a - b) / n, n, b }'
  done
}

qasid_stop() {
  [ -n "${qasid_pid:-}" ] || return 0
  kill "$qasid_pid" 2>/dev/null || true
  wait "$qasid_pid" 2>/dev/null || true
  qasid_pid=
}
