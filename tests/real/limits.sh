#!/bin/bash
# The limits on resources stand in every process, are sized by their options, and one that is reached refuses what
# wanted more; a system that can't confine wholly is refused with strict_sandbox.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
add alice
option process_memory 512M
option largest_file 16M
option connections_per_process 100
option message_size_limit 100M
option smtpd_processes 1
option pop3d_processes 1
option auth_threads 2
option smtp_junk_limit 10
option pop3_login_commands 10
mkfifo "$dir/pipe"
cat "$dir/pipe" >>"$dir/log" & # a log that is not a file, so that no file may grow
exec 18>"$dir/pipe"
"$qasid_bin" -c "$dir/qasid.conf" serve 2>&18 &
server=$!
exec 18>&-
wait_log 'event=ready' || echo "the server did not start"

limit_of() { # ROLE WORDS: the soft and hard limit
  sed -n "s/^Max $2 *\([a-z0-9]*\) *\([a-z0-9]*\) .*/\1 \2/p" "/proc/$(pid_of "$1")/limits"
}
sanitized=
nm "$qasid_bin" 2>/dev/null | grep -q __asan_init && sanitized=yes
m=$((1024 * 1024))
for role in smtpd pop3d auth keys store resolver collector pickup; do
  ok "$role leaves no core" is "$(limit_of $role 'core file size')" "0 0"
  case $role in auth | store) size="$((16 * m)) $((16 * m))" ;; keys) size="$m $m" ;; *) size="0 0" ;; esac
  ok "$role: file size" is "$(limit_of $role 'file size')" "$size"
  case $role in
  smtpd) fds=420 ;; pop3d) fds=33608 ;; store) fds=65536 ;; resolver) fds=4096 ;; collector) fds=336 ;; *) fds=256 ;;
  esac
  hard=$(ulimit -Hn)
  [ "$hard" = unlimited ] || [ "$hard" -ge $fds ] || fds=$hard
  ok "$role: descriptors" is "$(limit_of $role 'open files')" "$fds $fds"
  [ -z "$sanitized" ] || continue
  case $role in keys) memory=256 ;; auth) memory=$((512 + 10 * 128)) ;; store) memory=$((512 + 10 * 128)) ;; *) memory=512 ;; esac
  ok "$role: address space" is "$(limit_of $role 'address space')" "$((memory * m)) $((memory * m))"
  threads=0
  case $role in auth | store) threads=256; [ "$(id -u)" = 0 ] || threads=4096 ;; esac
  ok "$role: threads" is "$(limit_of $role processes)" "$threads $threads"
done

deliver() { # MEGABYTES: what the server says
  python3 - "$smtp" "$1" <<'END'
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60) as s:
    try:
        s.sendmail("a@example.net", ["alice@example.org"], b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * (int(sys.argv[2]) * 13443))
        print("taken")
    except smtplib.SMTPResponseException as e: print(e.smtp_code)
END
}
before=$(pid_of store)
ok "a message below largest_file is kept" is "$(deliver 10)" taken
ok "one above is refused as the disk's fault" is "$(deliver 20)" 452
ok "and the next is kept" is "$(deliver 1)" taken
ok "by the same process" is "$(pid_of store)" "$before"
ok "two messages are there" is "$(count_of alice)" 2
ok "clients that get nowhere are ended" python3 - "$smtp" "$pop3" <<'END'
import socket, sys
for port, end in (sys.argv[1], b"421 "), (sys.argv[2], b"-ERR too many commands"):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=30) as s:
        s.sendall(b"NOOP\r\n" * 11)
        said = s.makefile("rb").read().splitlines()
        assert said[-1].startswith(end), said
END
ok "smtpd logs it" wait_log 'event=limit session=.* service=smtp .*limit=no-progress .*count=1$'
ok "pop3d logs it" wait_log 'event=limit session=.* service=pop3 .*limit=no-progress .*count=1$'
ok "the server stops" stop
ok "the store is sound" q check

option strict_sandbox yes
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  strict() { timeout 20 setpriv --bounding-set -sys_chroot "$qasid_bin" -c "$dir/qasid.conf" serve 2>"$dir/strict"; }
  lacks() { strict; [ $? = 75 ] && grep -q 'strict_sandbox is on, and this system lacks: a root folder of its own' "$dir/strict"; }
  ok "strict_sandbox refuses to start less confined" lacks
fi
: >"$dir/log"
serve
ok "and starts where nothing is missing" q status
stop >/dev/null
sed -i '/strict_sandbox/d' "$dir/qasid.conf"
: >"$dir/log"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  setpriv --bounding-set -sys_chroot "$qasid_bin" -c "$dir/qasid.conf" serve 2>>"$dir/log" &
  server=$!
  ok "without it, what is missing is a warning" wait_log 'event=sandbox .*this system lacks'
  ok "and the server serves" wait_log 'event=ready'
fi
finish
