# Qasid on ports of its own, for measurements. Sourced by bench/run.

# qasid_start DIR USERS → $qasid_pid, $qasid_smtp, $qasid_pop3, $qasid_pop3s, $qasid_220_ms, $qasid_ok_ms
qasid_start() {
  local d=$1 i
  qasid_dir=$d qasid_smtp=${qasid_ports:-126}25 qasid_pop3=${qasid_ports:-126}10 qasid_pop3s=${qasid_ports:-126}95
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
listen_pop3s = { "127.0.0.1:$qasid_pop3s" }
tls_certificates = { "$d/cert.pem" }
tls_keys = { "$d/key.pem" }
plaintext_auth = yes
connections_per_address = 100000
log_level = "warn"
${qasid_options:-}
EOF
  qasid_serve
  "$out/qasid" -c "$d/qasid.conf" domain add bench.example >/dev/null
  for ((i = 0; i < $2; i++)); do qasid_account "user$i"; done
}

# The watcher is there before the server starts → $qasid_begin, when that was executed.
qasid_serve() {
  local begin smtp pop3 word
  exec 8< <(python3 - "$qasid_smtp" "$qasid_pop3" <<'EOF'
import socket, sys, time
print("ready", flush=True)
end = time.monotonic() + 10
def first(port):
    while time.monotonic() < end:
        try:
            s = socket.create_connection(("127.0.0.1", port))
            s.recv(100)
            return time.time()
        except OSError: time.sleep(0.001)
print("%.4f %.4f" % (first(int(sys.argv[1])), first(int(sys.argv[2]))))
EOF
  )
  read -r word <&8
  begin=$EPOCHREALTIME qasid_begin=$EPOCHREALTIME
  "$out/qasid" -c "$qasid_dir/qasid.conf" serve 2>"$qasid_dir/log" 8<&- &
  qasid_pid=$!
  read -r smtp pop3 <&8
  exec 8<&-
  qasid_220_ms=$(awk -v a="$smtp" -v b="$begin" 'BEGIN { printf "%.0f", (a - b) * 1000 }')
  qasid_ok_ms=$(awk -v a="$pop3" -v b="$begin" 'BEGIN { printf "%.0f", (a - b) * 1000 }')
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

# What one login and one QUIT cost where there is much: MESSAGES in one maildrop, DELETED in another.
qasid_large_maildrops() {
  local messages=$1 deleted=$2 q
  qasid_account many0
  qasid_account gone0
  "$load" smtp "$qasid_smtp" --messages "$messages" --size 400 --mode pipeline --to 'many%d@bench.example' >/dev/null
  "$load" smtp "$qasid_smtp" --messages "$deleted" --size 4096 --mode pipeline --to 'gone%d@bench.example' >/dev/null
  q=$("$load" pop3 "$qasid_pop3" --sessions 10 --connections 1 --user 'many%d@bench.example' --do login --tree "$qasid_pid")
  awk -v n="$messages" -v us="$(field cpu_us_each <<<"$q")" 'BEGIN { printf "Login, STAT, QUIT with %d messages: %.1f ms of CPU\n", n, us / 1000 }'
  q=$("$load" pop3 "$qasid_pop3" --sessions 1 --connections 1 --user 'gone%d@bench.example' --do delete --tree "$qasid_pid")
  printf 'QUIT that deletes %d messages of 4 KB: %s ms until +OK\n' "$deleted" "$(field quit_ms <<<"$q")"
}

# Kilobytes of proportional set size of every process of one process, or of all with the parent.
pss_of() {
  local pid sum=0 kb
  for pid in $(pgrep -P "$qasid_pid") "$qasid_pid"; do
    [ "$1" = all ] || tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "--role $1" || continue
    kb=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
    sum=$((sum + kb))
  done
  echo "$sum"
}

# Of a process and all below it.
pss_below() {
  local pid kb sum
  sum=$(awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup")
  for pid in $(pgrep -P "$1"); do
    kb=$(pss_below "$pid")
    sum=$((sum + kb))
  done
  echo "$sum"
}

# qasid_idle TITLE ROOM PORT CONNECTIONS [more for the load generator]
qasid_idle() {
  local title=$1 process=$2 port=$3 n=$4 before after word
  shift 4
  before=$(pss_of "$process")
  exec 9< <("$load" idle "$port" --connections "$n" --hold 3 "$@")
  read -r word <&9 # all are open
  after=$(pss_of "$process")
  awk -v t="$title" -v a="$after" -v b="$before" -v n="$n" \
    'BEGIN { printf "%-28s %6.2f KB of PSS each (%d connections; %d KB before, %d KB with them)\n", t, (a - b) / n, n, b, a }'
  read -r word <&9 || true # and closed
  exec 9<&-
  sleep 1
}

qasid_memory() {
  ulimit -n "$(ulimit -Hn)"
  qasid_idle "Idle SMTP connection:" smtpd "$qasid_smtp" 5000
  qasid_idle "Idle POP3 connection:" pop3d "$qasid_pop3" 5000
  qasid_idle "Idle POP3 over TLS:" pop3d "$qasid_pop3s" 2000 --tls yes
  # What a server of its own needs for them, without memory that other work left in its caches.
  qasid_stop
  qasid_serve
  printf 'All processes, idle: %s KB of PSS, %s s of CPU for the start\n' "$(sleep 2; pss_of all)" "$("$load" cpu "$qasid_pid" | field cpu_s)"
  qasid_idle "All processes, idle POP3:" all "$qasid_pop3" 10000
}

# relays TITLE MESSAGES DOMAINS PORT PID SINK [FROM]: from the first octet at the sink to the last message there → $relay_rate, $relay_us
relays() {
  local title=$1 n=$2 domains=$3 port=$4 pid=$5 sink=$6 from=${7:-load@example.net} word before after
  exec 7< <("$out/sink" "$sink" "$n")
  read -r word <&7
  before=$("$load" cpu "$pid" | field cpu_s)
  "$load" smtp "$port" --messages "$n" --connections 20 --size 4096 --mode reuse --users 20 --from "$from" --to 'user%d@elsewhere.example' --domains "$domains" >/dev/null
  read -r word <&7
  exec 7<&-
  after=$("$load" cpu "$pid" | field cpu_s)
  read -r relay_rate relay_us < <(awk -v m="$(field messages <<<"$word")" -v s="$(field seconds <<<"$word")" -v c="$before" -v d="$after" \
    'BEGIN { if (m > 0) printf "%.0f %.1f\n", m / s, (d - c) * 1e6 / m; else print "0 0" }')
  printf '%-32s %8s/s %10s us\n' "$title, to $domains domains" "$relay_rate" "$relay_us"
}

# A server of its own, whose way out is the sink: MESSAGES DOMAINS [FROM]. From bench.example its mail is signed.
qasid_relays() {
  qasid_stop
  qasid_options="relay_networks = { \"127.0.0.1/32\" }
routes = { \"* [127.0.0.1]:12526 tls=none\" }"
  qasid_start "$dir/relay$2${3:+signed}" 0
  relays "Qasid${3:+, signed}" "$1" "$2" "$qasid_smtp" "$qasid_pid" 12526 ${3:+"$3"}
  qasid_options=
}

# Lines of a table for N dead and N slow destinations, each with an address of its own: WHAT is "route" or "transport".
trouble_table() {
  local i kind net port
  for kind in "dead 2 12527" "slow 3 12528"; do
    read -r kind net port <<<"$kind"
    for ((i = 0; i < 100; i++)); do
      if [ "$1" = route ]; then
        printf '"d%d.%s.example [127.0.%d.%d]:%d tls=none", ' "$i" "$kind" "$net" "$((i + 1))" "$port"
      else
        printf 'd%d.%s.example smtp:[127.0.%d.%d]:%d\n' "$i" "$kind" "$net" "$((i + 1))" "$port"
      fi
    done
  done
}

# relays_beside TITLE MESSAGES PORT TROUBLE: seconds until 99 of 100 messages to 1,000 destinations are there. TROUBLE: three messages for each
# of 100 dead and 100 slow destinations were taken two seconds before → $relay_99
relays_beside() {
  local title=$1 n=$2 port=$3 trouble=$4 word begin kind
  exec 7< <("$out/sink" 12526 "$n" dead=12527 slow=12528)
  read -r word <&7
  if [ "$trouble" = yes ]; then
    for kind in dead slow; do
      "$load" smtp "$port" --messages 300 --connections 20 --size 4096 --mode reuse --users 20 --to "user%d@$kind.example" --domains 100 >/dev/null
    done
    sleep 2
  fi
  begin=$EPOCHREALTIME
  "$load" smtp "$port" --messages "$n" --connections 20 --size 4096 --mode reuse --users 20 --to 'user%d@elsewhere.example' --domains 1000 >/dev/null
  read -r word <&7
  exec 7<&-
  relay_99=$(awk -v a="$(field at99 <<<"$word")" -v b="$begin" 'BEGIN { printf "%.2f", a - b }')
  printf '%-48s %8s s until 99 of 100 messages are there\n' "$title" "$relay_99"
}

qasid_relays_beside() {
  local trouble
  for trouble in no yes; do
    qasid_stop
    qasid_options="relay_networks = { \"127.0.0.1/32\" }
routes = { $(trouble_table route) \"* [127.0.0.1]:12526 tls=none\" }"
    qasid_start "$dir/beside$trouble" 0
    relays_beside "Qasid, dead and slow ones queued first: $trouble" "$1" "$qasid_smtp" "$trouble"
  done
  qasid_options=
}

# One message after another through a quiet server: from our 250 to the remote's.
qasid_lone() {
  qasid_stop
  qasid_options="relay_networks = { \"127.0.0.1/32\" }
routes = { \"* [127.0.0.1]:12526 tls=none\" }"
  qasid_start "$dir/lone" 0
  python3 "$here/lone.py" "$qasid_smtp" 12526 "$1"
  qasid_options=
}

qasid_stop() {
  [ -n "${qasid_pid:-}" ] || return 0
  kill "$qasid_pid" 2>/dev/null || true
  wait "$qasid_pid" 2>/dev/null || true
  qasid_pid=
}
