#!/bin/bash
# Where no /etc/hosts is and nobody answers for names, localhost is this machine all the same (RFC 6761 §6.3): the demo, in
# which `qasid send` and `qasid fetch` connect to it, comes to its end. And what cannot be printed is an error.
qasid_bin=$1
tree=$(readlink -f "$(dirname "$0")/../..")
. "$(dirname "$0")/../lib.sh"
begin
if unshare -m true 2>/dev/null && [ -e /etc/hosts ] && [ -e /etc/nsswitch.conf ]; then
  echo 'hosts: files' >"$dir/nsswitch"
  echo 'mount --bind /dev/null /etc/hosts && mount --bind "$1" /etc/nsswitch.conf && ! getent hosts localhost && exec "$2" "$3"' >"$dir/run"
  ok "the demo without /etc/hosts" unshare -m --propagation private bash "$dir/run" "$dir/nsswitch" "$tree/tools/demo" "$qasid_bin"
else
  echo "skipped: no mount namespace can be made here, or no /etc/hosts"
fi
full() { "$qasid_bin" "$@" >/dev/full; is $? 74; }
for command in help version "config sample" "help manual" "config manual" "--version"; do
  # shellcheck disable=SC2086
  ok "$command to a full disk" full $command
done
lists() { "$qasid_bin" -c x account 2>&1 | grep -q '^  account list  *list the accounts$'; }
ok "account alone lists its subcommands" lists
finish
