#!/bin/bash
# `qasid fetch` against our own server: what is kept, deleted, remembered, and taken up again after a kill -9.
qasid_bin=$1
here=$(readlink -f "$(dirname "$0")")
. "$here/../lib.sh"
begin
add alice bob
serve
cd "$dir" || exit 1

# put BOX N SIZE: messages 1 … N of about SIZE octets, each with its number as the subject
put() {
  python3 - "$smtp" "$1" "$2" "$3" <<'END'
import smtplib, sys
port, box, n, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = smtplib.SMTP("127.0.0.1", port)
for i in range(1, n + 1):
    body = (f".line {i}\r\n" * (size // 10 + 1))
    s.sendmail("from@client.example", [f"{box}@example.org"], f"Subject: number {i}\r\nFrom: <from@client.example>\r\n\r\n{body}")
s.quit()
END
}
get() { # BOX ARGUMENT…
  local box=$1
  shift
  echo "secret-$box" | q fetch --ca "$dir/cert.pem" --password-stdin "pop3s://$box@example.org@localhost:$pop3s" "$@"
}
subjects() { grep -h '^Subject: number' "$1"/new/* "$1"/cur/* 2>/dev/null | sort -V; }
numbers() { for ((i = $1; i <= $2; i++)); do echo "Subject: number $i"; done; }
holds() { is "$(subjects "$1")" "$(numbers "$2" "$3")"; }

put alice 5 300
ok "fetched to a Maildir, kept at the server" get alice --to box
ok "each once" holds box 1 5
ok "nothing is left in tmp/" is "$(ls box/tmp | wc -l)" 0
ok "again: nothing new" get alice --to box
ok "still each once" holds box 1 5
ok "to another place everything comes" bash -c "$(declare -f get q); dir=$dir pop3s=$pop3s qasid_bin=$qasid_bin; get alice --to other --quiet"
ok "there too" holds other 1 5
ok "with --all everything comes again" get alice --to box --all --quiet
ok "twice then" is "$(subjects box | wc -l)" 10
ok "the server has them" is "$(count_of alice)" 5
ok "--list shows UIDLs" bash -c "echo secret-alice | $qasid_bin -c $dir/qasid.conf fetch --ca $dir/cert.pem --password-stdin --list pop3s://alice@example.org@localhost:$pop3s | grep -c '^ *[1-5] ' | grep -qx 5"
ok "--top shows headers" bash -c "echo secret-alice | $qasid_bin -c $dir/qasid.conf fetch --ca $dir/cert.pem --password-stdin --top 1 pop3s://alice@example.org@localhost:$pop3s | grep -c '^Subject: number' | grep -qx 5"
ok "octet for octet" cmp <(get alice --to - --quiet | sed 's/^From .*//') <(q export alice@example.org - --format mbox | sed 's/^From .*//')
ok "--delete-after 1: not yet" get alice --to other --delete-after 1
ok "so they are there" is "$(count_of alice)" 5
sed -i 's/^[0-9][0-9]* /1000000000 /; 1s/.*/&/' state/qasid/fetch-* # they came long ago
ok "--delete-after 1: now" get alice --to other --delete-after 1
ok "so they are gone" is "$(count_of alice)" 0
ok "and were fetched once" holds other 1 5
put alice 3 100
rm -rf moved
ok "--delete" get alice --to moved --delete
ok "fetched" holds moved 1 3
ok "and gone" is "$(count_of alice)" 0
ok "a wrong password is code 77" bash -c "echo wrong | $qasid_bin -c $dir/qasid.conf fetch --ca $dir/cert.pem --password-stdin pop3s://alice@example.org@localhost:$pop3s --to box; [ \$? = 77 ]"
ok "a certificate that does not hold is code 77" bash -c "echo wrong | $qasid_bin -c $dir/qasid.conf fetch --password-stdin pop3s://alice@example.org@localhost:$pop3s --to box; [ \$? = 77 ]"
ok "an empty maildrop is no error" get alice --to moved
put alice 3 200

# To an mbox, which somebody was killed in the middle of.
printf 'From x Thu Jan  1 00:00:00 1970\nSubject: half\n\nof a li' >in.mbox
ok "to an mbox" get alice --to in.mbox
ok "again nothing new" get alice --to in.mbox
ok "every message begins where it should" is "$(python3 -c 'import mailbox; print(*[m["Subject"] for m in mailbox.mbox("in.mbox")], sep=",")')" "half,number 1,number 2,number 3"

# To an account: with the trace lines that it came with, once, and what its owner deleted does not come back.
add carol
ok "to an account" get alice --to account:carol@example.org
ok "nothing new" get alice --to account:carol@example.org
ok "each once" is "$(count_of carol)" 3
put alice 5 300
ok "some more" get alice --to account:carol@example.org
ok "are there" is "$(count_of carol)" 8
raw() { q export "$1@example.org" - --format mbox | sed '/^From /d'; }
ok "octet for octet" cmp <(raw alice) <(raw carol)
rm -rf state
ok "without its memory" get alice --to account:carol@example.org
ok "the store knows what it has" is "$(count_of carol)" 8
python3 -c "
import poplib
p = poplib.POP3('127.0.0.1', $pop3); p.apop('carol@example.org', 'secret-carol')
for i in range(1, 9): p.dele(i)
p.quit()"
rm -rf state
ok "and what it had" get alice --to account:carol@example.org
ok "which does not come back" is "$(count_of carol)" 0
ok "an account that is not there is code 67" bash -c "$(declare -f get q); dir=$dir pop3s=$pop3s qasid_bin=$qasid_bin; get alice --to account:nobody@example.org; [ \$? = 67 ]"

# To a server by SMTP.
rm -rf state
ok "by SMTP" get alice --to smtp://127.0.0.1:$smtp/carol@example.org
ok "has arrived" is "$(count_of carol)" 8
ok "each with one Return-Path" is "$(raw carol | grep -aic '^Return-Path:')" 8
ok "once" get alice --to smtp://127.0.0.1:$smtp/carol@example.org
ok "and no more" is "$(count_of carol)" 8
ok "nobody there to take it" no get alice --to smtp://127.0.0.1:$smtp/nobody@example.org --delete
ok "so nothing is deleted" is "$(count_of alice)" 8

# By LMTP: one message is refused for now, and comes the next time.
read -r lmtp < <(free_ports 1)
python3 - "$lmtp" >lmtp.log <<'END' &
import socketserver, sys
refuse = [3]
class H(socketserver.StreamRequestHandler):
    def say(self, text): self.wfile.write(text.encode() + b"\r\n")
    def handle(self):
        n, data = 0, False
        self.say("220 lmtp.example.org LMTP")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"LHLO": self.say("250-lmtp.example.org\r\n250-8BITMIME\r\n250 SIZE 1000000")
            elif word == b"DATA":
                self.say("354 go on")
                text = b""
                while (line := self.rfile.readline()) != b".\r\n": text += line
                n += 1
                if n in refuse:
                    refuse.remove(n)
                    self.say("452 4.2.2 not now")
                else:
                    print(*[l.decode().strip() for l in text.split(b"\n") if l.startswith(b"Subject")], flush=True)
                    self.say("250 2.0.0 taken")
            elif word == b"QUIT":
                self.say("221 bye")
                return
            else: self.say("250 2.0.0 fine")
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
END
lmtpd=$!
for _ in {1..100}; do (exec 3<>/dev/tcp/127.0.0.1/$lmtp) 2>/dev/null && break; sleep 0.05; done
ok "by LMTP, but for one" bash -c "$(declare -f get q); dir=$dir pop3s=$pop3s qasid_bin=$qasid_bin; get alice --to lmtp://127.0.0.1:$lmtp/carol --delete; [ \$? = 75 ]"
ok "seven are there" is "$(wc -l <lmtp.log)" 7
ok "and one here" is "$(count_of alice)" 1
ok "which goes the next time" get alice --to lmtp://127.0.0.1:$lmtp/carol --delete
ok "so all are there" is "$(wc -l <lmtp.log)" 8
ok "and none here" is "$(count_of alice)" 0
kill $lmtpd
wait $lmtpd 2>/dev/null

# send --headers, as sendmail -t: who is named in the header gets it, and nobody sees the Bcc.
printf 'From: A <alice@example.org>\nTo: "Car, Ol" <carol@example.org>,\n bob@example.org\nBcc: alice@example.org\nSubject: to all\n\nHi\n' >all.eml
before=$(count_of carol)
ok "send -t" q send -t "smtp://127.0.0.1:$smtp" all.eml --no-starttls
for b in carol bob alice; do ok "$b has it" bash -c "$qasid_bin -c $dir/qasid.conf export $b@example.org - --format mbox | grep -c '^Subject: to all' | grep -qx 1"; done
ok "and nobody sees the Bcc" bash -c "! $qasid_bin -c $dir/qasid.conf export carol@example.org - --format mbox | grep -qi ^Bcc"
printf 'To: carol@example.org, nonsense\n\nHi\n' >bad.eml
ok "what is not an address is sent to nobody" no q send -t "smtp://127.0.0.1:$smtp" bad.eml --no-starttls
ok "so nothing more came" is "$(count_of carol)" $((before + 1))
for b in alice bob; do get $b --to - --delete --quiet >/dev/null; done

# A Maildir that cannot be written: nothing is deleted.
put alice 2 100
mkdir -p full/new full/cur && touch full/tmp
ok "a destination that fails" no get alice --to full --delete
ok "deletes nothing" is "$(count_of alice)" 2
rm -rf full

# kill -9 in the middle, again and again, until it is through: nothing lost, nothing twice.
resume() { # BOX PLACE OPTIONS…: says how often it was killed
  local box=$1 place=$2
  shift 2
  python3 "$here/fetch_killed.py" "$place" "secret-$box" "$qasid_bin" -c "$dir/qasid.conf" fetch --ca "$dir/cert.pem" \
    --password-stdin --quiet --to "$place" "pop3s://$box@example.org@localhost:$pop3s" "$@"
}
put bob 200 2000
killed=$(resume bob killed)
ok "a fetch was killed some times" test "$killed" -ge 2
ok "and taken up again" get bob --to killed --quiet
ok "each once" holds killed 1 200
ok "and the server has them" is "$(count_of bob)" 200
rm -rf killed state
killed=$(resume bob killed --delete)
ok "a fetch that deletes was killed some times" test "$killed" -ge 2
ok "and taken up again" get bob --to killed --quiet --delete
ok "each once" holds killed 1 200
ok "and the server has none" is "$(count_of bob)" 0

# The same to an account, killed after a moment that differs each time; the store itself knows what it was given.
put bob 120 2000
add dave
for moment in 0.05 0.1 0.2 0.3 0.4; do
  echo secret-bob | timeout -s KILL "$moment" "$qasid_bin" -c qasid.conf fetch --ca cert.pem --password-stdin --quiet --delete \
    --to account:dave@example.org "pop3s://bob@example.org@localhost:$pop3s"
done
ok "to an account, taken up again" get bob --to account:dave@example.org --delete --quiet
ok "each once" is "$(q export dave@example.org - --format mbox 2>/dev/null | grep -a '^Subject: number' | sort -V)" "$(numbers 1 120)"
ok "and the server has none" is "$(count_of bob)" 0

# --- a message that puts each session out of step: its first line is a dot, and the server does not stuff it ---
read -r odd < <(free_ports 1)
python3 "$here/odd_pop3.py" "$odd" &
odd_pid=$!
for _ in $(seq 300); do
  (exec 3<>"/dev/tcp/127.0.0.1/$odd") 2>/dev/null && break
  sleep 0.1
done
odd() { # USER ARGUMENT…: the exit code, and how many sessions there were
  local user=$1 before code=0
  before=$(cat sessions 2>/dev/null || echo 0)
  shift
  echo pw | q fetch --no-starttls --no-tls --password-stdin "pop3://$user@127.0.0.1:$odd" "$@" >words 2>&1 || code=$?
  echo "$code $(($(cat sessions) - before))"
}
came() { grep -rhao 'Subject: odd [0-9]*' "$@" | sort -V | xargs; }
there() { echo pw | q fetch --no-starttls --no-tls --password-stdin "pop3://$1@127.0.0.1:$odd" --list | grep -c '^ *[0-9]'; }
ok "it is stepped over, in a session more" is "$(odd dots --to odd)" "75 2"
ok "and named" grep -q '^qasid: message 2 (dots-2) ends the session; it is left there' words
ok "and counted" grep -q '^qasid: 1 message could not be fetched' words
ok "the others are here, once" is "$(came odd)" "Subject: odd 1 Subject: odd 3 Subject: odd 4"
ok "each run says so" is "$(odd dots --to odd)" "75 2"
ok "and fetches nothing twice" is "$(came odd)" "Subject: odd 1 Subject: odd 3 Subject: odd 4"
ok "--delete: the others go" is "$(odd dots --to odd --delete)" "75 2"
ok "and it stays" is "$(came odd) $(there dots)" "Subject: odd 1 Subject: odd 3 Subject: odd 4 1"
ok "so is one whose size hides that it is cut" is "$(odd hides --to odd4 --delete)" "75 2"
ok "named" grep -q '^qasid: message 2 (hides-2) ends the session; it is left there' words
ok "and it stays, alone" is "$(there hides)" 1
ok "(what stands behind it is here)" is "$(came odd4 | grep -c 'odd 3 Subject: odd 4')" 1
ok "without a memory: to standard output" is "$(odd dots-b --to -)" "75 2"
ok "each once" is "$(came words)" "Subject: odd 1 Subject: odd 3 Subject: odd 4"
ok "without UIDL: with --delete" is "$(odd dotsnone --to odd2 --delete)" "75 2"
ok "each once" is "$(came odd2) $(there dotsnone)" "Subject: odd 1 Subject: odd 3 Subject: odd 4 1"
ok "at all of 20: no more than nine sessions" is "$(odd dotsall --to odd3 --delete)" "76 9"
ok "and nothing is deleted" is "$(there dotsall)" 20
kill "$odd_pid"
wait "$odd_pid" 2>/dev/null
finish
