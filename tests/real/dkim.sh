#!/bin/bash
# Mail that goes out is signed (DKIM), and three independent verifiers accept the signatures: dkimpy, Mail::DKIM, OpenDKIM. Whose mail is
# signed and whose is not; keys that are replaced, damaged, killed.
qasid_bin=$1
here=$(dirname "$0")
. "$here/../lib.sh"
. "$here/../outside.sh"
begin
read -r dns port < <(free_ports 2)
mkdir "$dir/got"
python3 "$here/dkim_sink.py" 127.0.0.61 "$port" "$dir/got" >"$dir/sink" 2>&1 &
outside+=($!)
# DNS as `qasid dkim list --records` prints it, for all keys that ever were.
zone() {
  q dkim list --records >>"$dir/records"
  {
    echo "mx-host=sink.test,mx.sink.test,10"
    echo "address=/mx.sink.test/127.0.0.61"
    echo "local=/test/"
    sort -u "$dir/records" | sed -E 's/^([^ ]+)\. TXT (.*)$/txt-record=\1,\2/; s/" "/","/g'
  } >"$dir/zone"
  [ -z "$names" ] || kill "$names"
  names_begin "$dir/zone"
}
trap 'outside_end; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT

option dns_servers "{ \"127.0.0.1@$dns\" }"
option remote_port "$port"
option send_private_addresses yes
option retry_first 1
option retry_most 1
option relay_networks '{ "127.0.0.1" }'
option plaintext_auth yes
option sender_check envelope
option auth_mechanisms '{ "PLAIN" }'
serve
add alice bob
zone

submit() { # FROM-PORT LOGIN|- SENDER RECIPIENT NAME…: $dir/NAME.out each, in one session
  python3 - "$dir" "$@" <<'PY'
import os, smtplib, sys
dir, port, login, sender, to, *names = sys.argv[1:]
s = smtplib.SMTP("127.0.0.1", int(port), local_hostname="client.test", timeout=30, source_address=(os.environ.get("FROM_IP", "127.0.0.1"), 0))
if login != "-": s.login(login + "@example.org", "secret-" + login)
for name in names: s.sendmail(sender, [to], open(dir + "/" + name + ".out", "rb").read(), ["BODY=8BITMIME"])
s.quit()
PY
}
message() { printf '%b' "From: ${2:-alice@example.org}\r\nSubject: $1\r\nTo: x@sink.test\r\n\r\nhello\r\n" >"$dir/$1.out"; }
by_alice() { submit "$submission" alice alice@example.org x@sink.test "$@"; }
say() { message "$1" && by_alice "$1"; }
there() { local f; for f; do [ -e "$dir/got/$f.eml" ] || { echo "$f is not there"; return 1; }; done; }
verify() { python3 "$here/dkim_verify.py" "$dns" "$@"; }

# --- messages of every shape ---
python3 - "$dir" <<'PY'
import sys
def put(name, header, body=b""):
    open(sys.argv[1] + "/shape-" + name + ".out", "wb").write(b"Subject: shape-" + name.encode() + b"\r\n" + header + body)
me = b"From: alice@example.org\r\nTo: x@sink.test\r\n"
put("plain", me, b"\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n")
put("8bit", b"From: \"J\xc3\xb6rg\" <alice@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n", b"\r\ngr\xc3\xbc\xc3\x9fe \xff\r\n")
put("long-fields", me + b"References:" + b"".join(b"\r\n <%040d@x.test>" % i for i in range(150)) + b"\r\n", b"\r\nx\r\n")
put("empty-body", me, b"\r\n")
put("header-only", me)
put("blank-ends", me, b"\r\nx\r\n\r\n \t\r\n\r\n\r\n")
put("only-blanks", me, b"\r\n\r\n \r\n\r\n")
put("dots", me, b"\r\n.\r\n..\r\n. x\r\n.x.\r\n\r\n.\r\n")
put("folded-from", b"From:\r\n\t\"A  very\r\n\t long name\"\r\n <alice@example.org>  \r\nto:  x@sink.test\r\n", b"\r\nx\t \ty \r\n")
put("received", b"Received: from a.test by b.test; Fri, 1 Jan 2021 00:00:00 +0000\r\n" * 5 + me + b"Received: late\r\n", b"\r\nx\r\n")
put("twice", me + b"Comments: a\r\nComments: b\r\nKeywords: c\r\nMIME-Version: 1.0\r\nContent-Type: text/plain;\r\n\tcharset=us-ascii\r\n", b"\r\nx\r\n")
put("large", me, b"\r\n" + b"".join(b"line  %d\twith blanks \r\n" % i for i in range(12000)) + b"\r\n\r\n")
put("large-header", me + b"".join(b"X-Filler: %s\r\n" % (b"y" * 900) for i in range(100)), b"\r\nbehind a long header\r\n")
PY
shapes=("$dir"/shape-*.out)
shapes=("${shapes[@]##*/}")
shapes=("${shapes[@]%.out}")
by_alice "${shapes[@]}"
files=("${shapes[@]/#/$dir/got/}")
files=("${files[@]/%/.eml}")
ok "thirteen messages of every shape arrive" within 30 there "${shapes[@]}"
ok "dkimpy: each has an RSA and an Ed25519 signature of example.org, and both hold" verify example.org "${files[@]}"
ok "Mail::DKIM: they hold" perl "$here/dkim_verify.pl" "$dns" "${files[@]}"
as_they_came() { python3 - "$dir" "$@" <<'PY'
import sys
for name in sys.argv[2:]:
    sent, got = (open(sys.argv[1] + "/" + f, "rb").read().partition(b"\r\n\r\n") for f in (name + ".out", "got/" + name + ".eml"))
    front = got[0].partition(sent[0].rstrip(b"\r\n"))
    assert front[0].startswith(b"DKIM-Signature: ") and front[1] and got[2] == sent[2], name
PY
}
ok "but for what is put in front they are as they came" as_they_came "${shapes[@]}"
printf '%b' 'DKIM-Signature: v=1; a=rsa-sha256; d=other.test; s=x; h=from; bh=AA==; b=AA==\r\nFrom: alice@example.org\r\nSubject: before\r\n\r\nx\r\n' >"$dir/before.out"
by_alice before
ok "a signature that was there stays below ours" all 'within 30 there before' \
  'is "$(grep -aoE "d=(example.org|other.test)" "$dir/got/before.eml" | tr "\n" " ")" "d=example.org d=example.org d=other.test "'
# OpenDKIM reads keys from a file, and looks at the first signature that it knows: each message comes again without its first.
sort -u "$dir/records" | sed -E 's/^([^ ]+)\. TXT (.*)$/\1 \2/; s/" "//g; s/"//g' >"$dir/public-keys"
printf 'Mode v\nSyslog no\nLogWhy yes\nMaximumHeaders 0\nTestPublicKeys %s\n' "$dir/public-keys" >"$dir/opendkim.conf"
mkdir "$dir/second"
python3 - "$dir/second" "${files[@]}" <<'PY'
import os, re, sys
for f in sys.argv[2:]:
    octets = re.sub(rb"\ADKIM-Signature:.*?\r\n(?=[^ \t])", b"", open(f, "rb").read(), flags=re.S)
    open(sys.argv[1] + "/" + os.path.basename(f), "wb").write(octets)
PY
opendkim_holds() { # FILE…
  local f
  for f; do opendkim -x "$dir/opendkim.conf" -t "$f" 2>&1 | grep -q succeeded || { echo "$f"; return 1; }; done
}
ok "OpenDKIM: the RSA signatures hold" opendkim_holds "${files[@]}"
ok "and the Ed25519 ones" opendkim_holds "$dir"/second/*.eml
sed 's/lost the game/won the game/' "$dir/got/shape-plain.eml" >"$dir/changed.eml"
sed '0,/^Subject:/s//Date: Fri, 01 Jan 2021 00:00:00 +0000\r\nSubject:/' "$dir/got/shape-plain.eml" >"$dir/added.eml"
ok "a changed message does not verify" no verify example.org "$dir/changed.eml"
ok "nor one with a Date that it had not" no verify example.org "$dir/added.eml"
ok "nor does it for the others" all 'no perl "$here/dkim_verify.pl" "$dns" "$dir/changed.eml"' 'no opendkim_holds "$dir/changed.eml"'

# --- whose mail is signed ---
message as-alice; message as-tag alice+news@example.org; message as-bob bob@example.org; message as-stranger boss@bank.example
message as-two 'alice@example.org, bob@example.org'
by_alice as-alice as-tag as-bob as-stranger as-two
message machine root@example.org; message machine-host root@mx.example.org; message forwarded boss@bank.example
submit "$smtp" - root@example.org x@sink.test machine machine-host forwarded
q alias add list@example.org x@sink.test >/dev/null
message forged alice@example.org
FROM_IP=127.0.0.2 submit "$smtp" - someone@elsewhere.test list@example.org forged # a stranger, by an alias that leads elsewhere
message refused root@example.org
submit "$smtp" - someone@sink.test refused@sink.test refused
got() { local f; for f; do printf '%s\n' "$dir/got/$f.eml"; done; }
ok "mail of many senders arrives" within 30 there as-alice as-tag as-bob as-stranger as-two machine machine-host forwarded forged
ok "a login's own addresses are signed, and machines' in relay_networks" eval 'verify example.org $(got as-alice as-tag machine machine-host)'
ok "a login's mail in another's name is not, nor what is passed on for a stranger, whose From is a forgery of ours" \
  eval 'verify - $(got as-bob as-stranger as-two forwarded forged)'
report() { grep -l "^From: Mail Delivery System" "$dir"/got/*.eml; }
ok "a report goes to a sender elsewhere" within 30 report
ok "and is signed by the domain that our host is in" eval 'verify example.org $(report)'

# --- files ---
ok "the keys' folder is the process keys' alone" eval '[ "$(stat -c %a "$dir/data/keys" "$dir/data/keys/dkim.example.org" | tr "\n" " ")" = "700 600 " ]'

# --- new keys ---
first=$(q --json dkim list | python3 -c 'import json,sys; print(" ".join(r["name"] for r in json.load(sys.stdin)))')
ok "rotate makes the next keys and says that the step is not done" eval 'q dkim rotate example.org >"$dir/rotate"; [ $? = 75 ] && grep -q "TXT \"v=DKIM1; k=ed25519" "$dir/rotate"'
say still-first
ok "mail is signed with the present ones meanwhile" eval 'within 20 there still-first && grep -q "s=${first%%.*}" "$dir/got/still-first.eml"'
ok "nor is it as long as DNS has not got them" eval 'q dkim rotate example.org >/dev/null; [ $? = 75 ]'
zone
ok "once it has, they sign" within 10 q dkim rotate example.org
say second
ok "with other selectors" eval 'within 20 there second && ! grep -q "s=${first%%.*}" "$dir/got/second.eml"'
ok "what either signed holds" eval 'within 5 verify example.org $(got second still-first as-alice)'
ok "old keys are not retired in their first week" no q dkim retire example.org
ok "but by force" q dkim retire example.org --force
ok "two keys are left" eval '[ "$(q --json dkim list | grep -c selector\\\|\"name\")" = 2 ] || q --json dkim list | json "len(r) == 2"'
ok "another domain's keys come and go with it" all 'q domain add other.test | grep -q "_domainkey.other.test. TXT"' 'q domain delete other.test' \
  '[ ! -e "$dir/data/keys/dkim.other.test" ]'

# --- trouble ---
kill -9 "$(pid_of keys)"
say killed
ok "keys is killed: the mail waits for it, and is signed" eval 'within 20 there killed && verify example.org $(got killed)'
cp -p "$dir/data/keys/dkim.example.org" "$dir/kept"
echo rubbish >"$dir/data/keys/dkim.example.org"
kill -9 "$(pid_of keys)"
within 20 eval '[ "$(grep -c event=dkim-keys "$dir/log")" = 1 ]'
say damaged
ok "keys that cannot be read: the mail waits, with the reason" within 20 eval 'q queue list to=sink.test | grep -q "DKIM keys"'
ok "dkim list says so" no q dkim list example.org
cp "$dir/kept" "$dir/data/keys/dkim.example.org"
kill -9 "$(pid_of keys)"
ok "once they are back it goes, signed" eval 'within 30 there damaged && verify example.org $(got damaged)'
echo rubbish >"$dir/data/keys/dkim.example.org"
option dkim_key_trouble '"send"'
q reload >/dev/null
kill -9 "$(pid_of keys)"
within 20 eval '[ "$(grep -c event=dkim-keys "$dir/log")" = 2 ]'
say unsigned
ok "or unsigned, by option, which is logged" eval 'within 20 there unsigned && verify - $(got unsigned) && grep -q event=unsigned "$dir/log"'
ok "no process died but by our hand" eval '! grep "event=process-died" "$dir/log" | grep -v "signal 9"'
finish
