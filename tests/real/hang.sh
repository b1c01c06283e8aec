#!/bin/bash
# A process that hangs while it starts is ended and started again, at the start of the server and later. Needs a build with
# test hooks: a file with the process's name makes its next life hang.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
if ! grep -aq QASID_TEST_HANG "$qasid_bin"; then
  echo "skipped: $qasid_bin has no test hooks"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
mkdir "$dir/hang"
chmod 777 "$dir/hang"
add alice
export QASID_TEST_HANG=$dir/hang QASID_TEST_START_MS=3000
option smtpd_processes 1
option pop3d_processes 1

login() { "$qasid_bin" fetch --list --insecure --password-stdin "pop3s://alice%40example.org@127.0.0.1:$pop3s" <<<secret-alice; }

touch "$dir/hang/pop3d"
serve
ok "the server is ready although pop3d hung at first" test ! -e "$dir/hang/pop3d"
ok "the log says which process it was" grep -E 'event=start .*pop3d-[0-9]+ was not ready, nor got further, for 3000 ms' "$dir/log"
ok "logins work" login

for process in auth store; do
  touch "$dir/hang/$process"
  kill -9 "$(pid_of $process)"
  ok "$process hangs in its next life; the one after it works" within 20 login
  ok "the log says that it was $process" grep -E "event=start .*$process-[0-9]+ was not ready" "$dir/log"
done

touch "$dir/hang/store"
kill -9 "$(pid_of store)"
within 20 test ! -e "$dir/hang/store"
stop
ok "a stop does not wait for what is not ready" test "$(grep -c 'event=start .*store-[0-9]* was not ready' "$dir/log")" = 1
serve
ok "and the next start is as any" login

# A start that takes twice the time, but gets further.
stop
mv "$dir/log" "$dir/log.before"
export QASID_TEST_SLOW_START=6
serve
begin=$SECONDS
ok "a start that takes longer than is allowed, but gets further, is not ended" q compact
ok "it did take longer" test $((SECONDS - begin)) -ge 5
ok "the store was rewritten" is "$(q status | awk '$1 == "compacted" { print $2 }')" 1
ok "the log says that the store starts again, as it was asked to" grep -E 'event=again ' "$dir/log"
ok "and nothing of a failure" no grep -E 'event=(failed|process-died|compact-failed|start) ' "$dir/log"
finish
