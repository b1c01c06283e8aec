#!/bin/bash
# Front-ends that were taken over: forbidden system calls, and lies to the other processes. Each is refused, the
# process is gone and replaced under a new number, and the service goes on. Needs a build with test hooks.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
if ! grep -aq 'ipc-forge-grant' "$qasid_bin"; then
  echo "skipped: $qasid_bin has no test hooks"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
breaches_expected=1
export dir qasid_bin smtp submission submissions pop3 pop3s
option smtpd_processes 6
option pop3d_processes 6
add alice
serve
export server
suite sandbox.py
ok "the store gave nothing and checks clean" q check
finish
