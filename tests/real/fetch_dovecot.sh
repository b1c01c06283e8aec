#!/bin/bash
# `qasid fetch` against Dovecot: its mechanisms, its octets, what is kept and deleted there, and a kill -9 in the middle.
qasid_bin=$1
here=$(readlink -f "$(dirname "$0")")
. "$here/../lib.sh"
. "$here/../dovecot.sh"
if [ ! -x /usr/lib/dovecot/pop3 ] || [ "$(id -u)" != 0 ]; then
  echo "skipped: Dovecot is not installed, or this is not root"
  echo "0 passed, 0 failed, 1 skipped"
  exit
fi
begin
trap 'stop >/dev/null 2>&1; dovecot_end; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
dovecot_mechanisms="plain login cram-md5 apop scram-sha-1 scram-sha-256"
dovecot_begin alice bob
echo "hashed@example.org:$(doveadm pw -s SHA512-CRYPT -p old-hashed)" >>old/users
dovecot_put alice 20
dovecot_put hashed 2

get() { # USER ARGUMENT…
  local box=$1
  shift
  echo "old-$box" | "$qasid_bin" -c nothing.conf fetch --ca old/cert.pem --password-stdin "pop3://$box@example.org@localhost:$old" "$@"
}
gets() {
  local box=$1
  shift
  echo "old-$box" | "$qasid_bin" -c nothing.conf fetch --ca old/cert.pem --password-stdin "pop3s://$box@example.org@localhost:$old_tls" "$@"
}
# The octets of each message, but for a line end that Dovecot adds to the last line.
sums() {
  python3 -c 'import glob, hashlib, sys
for f in glob.glob(sys.argv[1] + "/new/*") + glob.glob(sys.argv[1] + "/cur/*"):
    print(hashlib.md5(open(f, "rb").read().rstrip(b"\n")).hexdigest())' "$1" | sort
}
there() { find "old/mail/$1@example.org/Maildir/new" "old/mail/$1@example.org/Maildir/cur" -type f | wc -l; }

for m in user plain login cram-md5 scram-sha-1 scram-sha-256; do
  ok "$m with STLS" get alice --starttls --auth $m --list
  ok "$m, TLS from the start" gets alice --auth $m --list
done
ok "apop, TLS from the start" gets alice --auth apop --list
ok "no apop after STLS, whose timestamp may be anyone's" no get alice --starttls --auth apop --list
ok "apop in the clear hides the password" bash -c "echo old-alice | $qasid_bin -c no.conf fetch --no-starttls --auth apop --password-stdin --list pop3://alice@example.org@127.0.0.1:$old"
ok "the best one is SCRAM-SHA-256" bash -c "echo old-alice | $qasid_bin -c no.conf fetch --ca old/cert.pem --verbose --password-stdin --list pop3://alice@example.org@localhost:$old 2>&1 | grep -q 'AUTH SCRAM-SHA-256 (response)'"
ok "an account with a hash alone: once more with PLAIN" get hashed --list
ok "but not when the certificate is not verified" no bash -c "echo old-hashed | $qasid_bin -c no.conf fetch --insecure --password-stdin --list pop3://hashed@example.org@localhost:$old"
ok "a wrong password is code 77" bash -c "echo wrong | $qasid_bin -c no.conf fetch --ca old/cert.pem --password-stdin --list pop3://alice@example.org@localhost:$old; [ \$? = 77 ]"

ok "fetched and kept" get alice --to box --quiet
ok "octet for octet" cmp <(sums box) <(sums old/mail/alice@example.org/Maildir)
ok "again nothing comes" get alice --to box --quiet
ok "so each is there once" is "$(sums box | wc -l)" 20
ok "and Dovecot has them" is "$(there alice)" 20
dovecot_put alice 3 later
ok "new ones come" get alice --to box --quiet
ok "and only they" is "$(sums box | wc -l)" 23
sed -i 's/^[0-9][0-9]* /1000000000 /' state/qasid/fetch-*
dovecot_put alice 2 fresh
ok "after some days they go" get alice --to box --quiet --delete-after 7
ok "the new ones stay" is "$(there alice)" 2
ok "all were fetched" is "$(sums box | wc -l)" 25
ok "moved" get alice --to box --quiet --delete
ok "none is left" is "$(there alice)" 0
ok "all are here once" is "$(sums box | wc -l)" 25

killed() { # OPTIONS…
  python3 "$here/fetch_killed.py" killed old-bob "$qasid_bin" -c no.conf fetch --ca old/cert.pem --password-stdin --quiet \
    --to killed "pop3s://bob@example.org@localhost:$old_tls" "$@"
}
dovecot_put bob 150
before=$(sums old/mail/bob@example.org/Maildir)
n=$(killed)
ok "killed some times" test "$n" -ge 2
ok "and taken up again" gets bob --to killed --quiet
ok "nothing lost, nothing twice" cmp <(sums killed) <(echo "$before")
rm -rf killed state
n=$(killed --delete)
ok "killed some times while it deletes" test "$n" -ge 2
ok "and taken up again" gets bob --to killed --quiet --delete
ok "nothing lost, nothing twice" cmp <(sums killed) <(echo "$before")
ok "and none is left at Dovecot" is "$(there bob)" 0
finish
