#!/bin/bash
# Moving in from a real server, Dovecot: what is new each time, the master user, the proof, a run that is killed
# in the middle; and real clients that had everything there and fetch nothing here.
#   migrate.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
getmail_py=$(readlink -f "$(dirname "$0")/../getmail.py")
getmail_python=$(sed -n "1s/^#!//p" "$(command -v getmail)") # the one that has its modules
. "$(dirname "$0")/../dovecot.sh"
if [ ! -x /usr/lib/dovecot/pop3 ] || [ "$(id -u)" != 0 ]; then
  echo "skipped: Dovecot is not installed, or this is not root"
  echo "0 passed, 0 failed, 1 skipped"
  exit
fi
test=$(readlink -f "$0")
begin
trap 'stop >/dev/null 2>&1; dovecot_end; rm -rf "$dir"' EXIT
cd "$dir"
option undelete_time 1d
q domain add example.org >/dev/null
serve
dovecot_begin alice bob carol dave erin
dovecot_put alice 25
dovecot_put bob 8
dovecot_put carol 3
umask 077
printf '# ours\r\nalice@example.org\t\told-alice\r\n\nbob@example.org\tbob@example.org\told-bob\ncarol@example.org\t\twrong\n' >accounts
umask 022
move() { q migrate pop3 --from "localhost:$old" --ca "$dir/old/cert.pem" --accounts accounts "$@" >out.txt 2>err.txt; }
says() { grep -qF -- "$1" err.txt || { cat err.txt; return 1; }; }
result() { python3 -c 'import json,sys; print({r["address"]: r for r in json.load(open("out.txt"))}[sys.argv[1]][sys.argv[2]])' "$@"; }

# --- accounts ---
ok "accounts that are not here fail" is "$(move; echo $?)" 75
ok "and it is said what to do" says 'alice@example.org: FAILED: there is no such account here; --create makes it'
ok "a wrong password fails that account alone" is "$(move --create --json; echo $?)" 75
ok "with the reason and what to do" says 'carol@example.org: FAILED: localhost: the server refused the name or password: [AUTH] Authentication failed'
ok "the others came" is "$(result alice@example.org fetched) $(result bob@example.org fetched)" "25 8"
sed -i 's/wrong/old-carol/' accounts
ok "and made no account" no grep -q carol@example.org <(q account list)
ok "again, with the right password" move --create --json --prove
ok "only what is new comes" is "$(result alice@example.org fetched) $(result carol@example.org fetched)" "0 3"
ok "proven" says '25 of 25 the same by UIDL and size: no client will download anything twice'
ok "what POP3 shows is the same there and here" is "$(pop_uidls "$pop3" alice@example.org old-alice)" "$(pop_uidls "$old" alice@example.org old-alice)"

# --- new mail, deletions ---
dovecot_put alice 5 later
ok "mail that came meanwhile" move --json
ok "five of it" is "$(result alice@example.org fetched)" 5
ok "still in the same order" is "$(pop_uidls "$pop3" alice@example.org old-alice)" "$(pop_uidls "$old" alice@example.org old-alice)"
rm "$(ls old/mail/bob@example.org/Maildir/*/*.old* | head -1)"
ok "a deletion there is no proof" is "$(move --prove; echo $?)" 65
ok "and is named" says '1 here that were deleted there (--mirror-deletions)'
ok "mirrored" move --prove --mirror-deletions --json
ok "one is deleted here" is "$(result bob@example.org deleted) $(count_of bob)" "1 7"
ok "every octet is the same" move --prove=full
ok "and it says so" says '7 of 7 the same by UIDL and every octet: no client will download anything twice'
mv old/mail/carol@example.org/Maildir carol.away
ok "an old server that suddenly has nothing" is "$(move --mirror-deletions; echo $?)" 75
ok "deletes nothing here" is "$(count_of carol)" 3
rm -rf old/mail/carol@example.org/Maildir
mv carol.away old/mail/carol@example.org/Maildir
printf 'USER alice@example.org\r\nPASS old-alice\r\nDELE 1\r\nQUIT\r\n' | openssl s_client -quiet -starttls pop3 -connect "localhost:$pop3" >/dev/null 2>&1
ok "what was deleted here by its owner" is "$(move --prove --json; echo $?) $(result alice@example.org fetched) $(count_of alice)" "0 0 29"
ok "is counted and no difference" says '29 of 30 the same by UIDL and size, 1 that were deleted here by their owner: no client'

# --- what was restored here came to this server, not from the old one ---
printf 'Subject: here\r\n\r\nhere\r\n' | curl -sS --mail-from x@example.net --mail-rcpt carol@example.org --upload-file - "smtp://localhost:$smtp"
shown=$(pop_uidls "$pop3" carol@example.org old-carol | awk '{print $2}')
uids() { q --json mail list carol@example.org | python3 -c 'import json,sys; print(*[m["uid"] for m in json.load(sys.stdin)])'; }
ok "a message that came here" is "$(wc -l <<<"$shown") $(uids)" "4 1 2 3 4"
printf 'USER carol@example.org\r\nPASS old-carol\r\nDELE 4\r\nQUIT\r\n' | openssl s_client -quiet -starttls pop3 -connect "localhost:$pop3" >/dev/null 2>&1
ok "deleted" is "$(count_of carol)" 3
ok "and restored" q mail undelete carol@example.org --all
ok "has a new uid" is "$(uids)" "1 2 3 5"
ok "and the UIDL that it had" is "$(pop_uidls "$pop3" carol@example.org old-carol | awk '{print $2}')" "$shown"
ok "it is no difference between the servers" is "$(move --prove --mirror-deletions --json; echo $?) $(result carol@example.org fetched)" "0 0"
ok "and no deletion of the old server's" is "$(result carol@example.org deleted) $(count_of carol)" "0 4"

# --- a master user ---
q account add dave@example.org --password-stdin <<<old-dave >/dev/null
dovecot_put dave 12
printf 'alice@example.org\ndave@example.org\n' >names
by_master() { q migrate pop3 --from "localhost:$old" --ca "$dir/old/cert.pem" --accounts names --master boss --master-password-stdin "$@" <<<old-boss >out.txt 2>err.txt; }
ok "USER*MASTER" by_master --json --prove
ok "fetched" is "$(result dave@example.org fetched)" 12
ok "SASL PLAIN for another" by_master --prove --master-form authzid
ok "without its password it is refused" is "$(q migrate pop3 --from "localhost:$old" --ca "$dir/old/cert.pem" --accounts names --master boss --master-password-stdin <<<wrong >/dev/null 2>err.txt; echo $?)" 75

printf 'bob@example.org\tbob@example.org\t{SHA512-CRYPT}%s\nfrank@example.org\tbob@example.org\t{SHA512-CRYPT}%s\n' "$(openssl passwd -6 x)" "$(openssl passwd -6 a:franks)" >names
chmod 600 names
ok "accounts made with the hashes of their passwords" by_master --create --hashes --json
ok "have their mail" is "$(result frank@example.org fetched)" 7
ok "and let their owner in" is "$(pop_uidls "$pop3" frank@example.org a:franks)" "$(pop_uidls "$old" bob@example.org old-bob)"

# --- what is here is something else ---
dovecot_put erin 2
q account add erin@example.org --password-stdin <<<old-erin >/dev/null
mkdir -p other/cur other/new other/tmp
printf 'Subject: not that one\n\nbody\n' >other/new/1.x
printf '%s\t1.x\n' "$(pop_uidls "$old" erin@example.org old-erin | awk 'NR == 1 {print $2}')" >other.uidls
q import erin@example.org other --uidl other.uidls >/dev/null
printf 'erin@example.org\n' >names
ok "a UIDL that another message has here proves nothing" is "$(by_master --prove; echo $?)" 65
ok "its message comes all the same" says '2 messages, 2 fetched'
ok "and is named" says '1 of 2 the same by UIDL and size, 1 that cannot be kept: message 1 there has the UIDL of another one here'
ok "once: the next run finds it by its octets" is "$(by_master --prove=full; echo $?) $(count_of erin)" "65 3"
ok "which are the same" says '2 messages, 0 fetched; 1 of 2 the same by UIDL and every octet, 1 that cannot be kept'

# --- nothing changed there ---
ok "nothing was deleted at the old server" no grep -qE 'del=[1-9][0-9]*/' old/log
ok "and QUIT was never said" no grep -q 'Logged out' <(grep -vE "alice|erin|bob" old/log)

# --- clients ---
mkdir -p box/cur box/new box/tmp
mpop_() { mpop --host=localhost --port="$1" --user=dave@example.org --passwordeval='echo old-dave' --tls=on --tls-starttls=on --tls-certcheck=off \
  --auth=user --keep=on --delivery=maildir,"$dir/box" --uidls-file="$dir/uidls"; }
ok "mpop has everything from there" mpop_ "$old"
ok "twelve" is "$(ls box/new | wc -l)" 12
ok "mpop fetches from here" mpop_ "$pop3"
ok "nothing" is "$(ls box/new | wc -l)" 12
fetchmail_() {
  printf 'poll localhost protocol pop3 port %s uidl username "dave@example.org" password "old-dave" sslproto "TLS1.2+" no sslcertck\n  keep mda "cat >> %s/fetched" no rewrite\n' "$1" "$dir" >fetchmailrc
  chmod 600 fetchmailrc
  HOME=$dir fetchmail -f fetchmailrc --idfile "$dir/ids" --nodetach --nosyslog --pidfile "$dir/fetchmail.pid"
}
ok "fetchmail has everything from there" fetchmail_ "$old"
size=$(wc -c <fetched)
ok "fetchmail finds nothing new here" is "$(fetchmail_ "$pop3" >/dev/null; echo $?) $(wc -c <fetched)" "1 $size"

if command -v getmail >/dev/null; then
  mkdir -p getmail got/cur got/new got/tmp
  cat old/cert.pem cert.pem >getmail/ca.pem
  chown -R nobody getmail got # as root it delivers nothing
  getmail_() { # PORT
    printf '[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = %s\nusername = dave@example.org\npassword = old-dave\nca_certs = %s\n[destination]\ntype = Maildir\npath = %s\n[options]\nread_all = false\ndelete = false\n' \
      "$1" "$dir/getmail/ca.pem" "$dir/got/" >getmail/getmailrc
    HOME=$dir/getmail setpriv --reuid=nobody --regid=nogroup --clear-groups "$getmail_python" - --getmaildir="$dir/getmail" --rcfile="$dir/getmail/getmailrc" <"$getmail_py"
  }
  ok "getmail has everything from there" getmail_ "$old_tls"
  # What it knows is in a file named by the port too.
  for f in getmail/oldmail-*"$old_tls"*; do cp -p "$f" "${f/$old_tls/$pop3s}"; done
  ok "twelve" is "$(ls got/new | wc -l)" 12
  ok "getmail asks here" getmail_ "$pop3s"
  ok "and fetches nothing" is "$(ls got/new | wc -l)" 12
fi

# --- kill -9 in the middle ---
rm -rf old/mail/dave@example.org
dovecot_put dave 1500
echo 'dave@example.org' >names
q account delete dave@example.org --yes >/dev/null 2>&1
q account add dave@example.org --password-stdin <<<old-dave >/dev/null
for i in 1 2 3; do
  "$qasid_bin" -c qasid.conf migrate pop3 --from "localhost:$old" --ca "$dir/old/cert.pem" --accounts names --master boss --master-password-stdin \
    <<<old-boss >/dev/null 2>&1 &
  moving=$!
  sleep "0.$((2 * i))"
  kill -9 "$moving" 2>/dev/null
  wait "$moving" 2>/dev/null
  echo "      killed with $(count_of dave) of 1500"
done
ok "after three kills, the rest" by_master --prove=full
ok "every message once, every octet" says '1500 of 1500 the same by UIDL and every octet: no client will download anything twice'
ok "in the old server's order" is "$(pop_uidls "$pop3" dave@example.org old-dave | md5sum)" "$(pop_uidls "$old" dave@example.org old-dave | md5sum)"
ok "the store is sound" q check

# --- servers that are not as they should be ---
read -r odd < <(free_ports 1)
python3 "$(dirname "$test")/odd_pop3.py" "$odd" &
odd_pid=$!
for _ in $(seq 300); do
  (exec 3<>"/dev/tcp/127.0.0.1/$odd") 2>/dev/null && break
  sleep 0.1
done
for n in long short refuse none drop lie quit; do printf '%s@example.org\t\tpw\n' $n; done >odd
odd_() { q migrate pop3 --from "localhost:$odd" --no-starttls --accounts odd "$@" >out.txt 2>err.txt; }
ok "seven odd servers: some fail" is "$(odd_ --create --json; echo $?)" 75
ok "all that can be had is had" is "$(for n in long short refuse none drop lie quit; do result $n@example.org fetched; done | xargs)" "4 3 3 4 3 4 4"
ok "a message that came short is named" says 'short@example.org: FAILED: 1 of 4 messages could not be fetched: message 2 (short-2) came with'
ok "so is one that is refused" says 'refuse@example.org: FAILED: 1 of 4 messages could not be fetched: message 2 (refuse-2) did not come whole'
ok "one that ends the session is stepped over, and named" says 'drop@example.org: FAILED: 1 of 4 messages could not be fetched: message 3 (drop-3)'
ok "once more, taking the short one" is "$(odd_ --json --prove --accept-short; echo $?)" 75
ok "only what was missing comes" is "$(for n in long short refuse none drop lie quit; do result $n@example.org fetched; done | xargs)" "0 1 0 0 1 0 0"
ok "UIDLs that cannot be kept are counted" says 'long@example.org: 4 messages, 0 fetched; 2 of 4 the same by UIDL and size, 2 that cannot be kept: message'
ok "and those of a server without UIDL" says 'none@example.org: 4 messages, 0 fetched; 0 of 4 the same by UIDL and size, 4 that cannot be kept'
ok "nothing was lost there by QUIT" says 'quit@example.org: 4 messages, 0 fetched; 4 of 4 the same by UIDL and size: no client'

# --- a UIDL that is used again, and a message that puts each session out of step ---
one() { printf '%s@example.org		pw
' "$1" >one; shift; q migrate pop3 --from "localhost:$odd" --no-starttls --accounts one "$@" >out.txt 2>err.txt; }
ok "a box with one message" is "$(one reuse --create --json; echo $?) $(result reuse@example.org fetched)" "0 1"
echo 2 >reuse.step
ok "another one under its UIDL comes" is "$(one reuse --prove --json; echo $?) $(result reuse@example.org fetched) $(count_of reuse)" "65 1 2"
ok "and is named" says '1 message, 1 fetched'
ok "nothing comes twice" is "$(one reuse --mirror-deletions --json; echo $?) $(result reuse@example.org fetched) $(count_of reuse)" "0 0 2"
ok "sizes with LF alone are known again" is "$(one lf --create --prove; echo $?; one lf --prove; echo $?; cat lf.retrs)" "0
0
4"
ok "dots that are not stuffed" is "$(one dots --create --json; echo $?) $(result dots@example.org fetched)" "75 3"
ok "cost that message alone" says 'dots@example.org: FAILED: 1 of 4 messages could not be fetched: message 2 (dots-2)'
ok "in each run" is "$(one dots --json; echo $?) $(result dots@example.org fetched)" "75 0"
ok "a size that hides that a message is cut costs that one alone" is "$(one hides --create --json; echo $?) $(result hides@example.org fetched)" "75 3"
ok "and it is named" says 'hides@example.org: FAILED: 1 of 4 messages could not be fetched: message 2 (hides-2)'
kill "$odd_pid"
wait "$odd_pid" 2>/dev/null

# --- what can't work ---
ok "a file with spaces for tabs is refused" is "$(printf 'a@example.org a secret\n' >bad; q migrate pop3 --from localhost --accounts bad 2>err.txt; echo $?)" 66
ok "with its line" says 'line 1: ADDRESS, LOGIN and PASSWORD are separated by one tab each'
printf 'nobody@example.org\t\tpw\n' >nobody
ok "no such server" is "$(q migrate pop3 --from "localhost:1" --accounts nobody --create >/dev/null 2>err.txt; echo $?)" 75
ok "makes no account" no grep -q nobody@example.org <(q account list)
ok "no such server for accounts that are here" is "$(q migrate pop3 --from "localhost:1" --accounts accounts >/dev/null 2>err.txt; echo $?)" 75
ok "is said for each" says 'Connection refused; run it again later'
ok "a certificate that nobody vouches for" is "$(q migrate pop3 --from "localhost:$old" --accounts accounts >/dev/null 2>&1; echo $?)" 75
ok "no password went into a log" no grep -q 'old-' log
finish
