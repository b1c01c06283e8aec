#!/bin/bash
# The collector against other servers: each message is collected once, whichever process dies; nothing is deleted there
# before it is stored here; servers that stall, lie, cut off or send without end; wrong passwords and certificates.
qasid_bin=$1
here=$(dirname "$(readlink -f "$0")")
. "$(dirname "$0")/../lib.sh"
begin
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=elsewhere.example \
  -addext subjectAltName=DNS:elsewhere.example -keyout "$dir/other-key.pem" -out "$dir/other.pem" 2>/dev/null
mkdir "$dir/remote"
: >"$dir/ports"
python3 "$here/collect_remote.py" "$dir/remote" "$dir/cert.pem" "$dir/key.pem" "$dir/other.pem" "$dir/other-key.pem" \
  >"$dir/ports" 2>"$dir/remote.err" </dev/null &
remote_pid=$!
trap 'kill $remote_pid ${dovecot_pid:-} 2>/dev/null; stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
for ((i = 0; i < 100; i++)); do read -r plain tls othertls <"$dir/ports" && break; sleep 0.1; done
read -r dovecot dovecots < <(free_ports 2)
option collect_private_addresses yes
option collect_ports "{ \"$plain\", \"$tls\", \"$othertls\", \"$dovecots\", \"$pop3s\" }"
option tls_authorities "\"$dir/cert.pem\""
add one two three five seven eight
serve

# drop USER COUNT [OCTETS]: the other server's maildrop.
drop() {
  python3 - "$dir/remote/$1.json" "$1" "$2" "${3:-200}" <<'EOF2'
import json, random, sys
path, user, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
r = random.Random(user)
def text(i):
    head = "Return-Path: <sender@example.net>\r\nReceived: from far by away; Thu, 01 Jan 1970 00:00:00 +0000\r\nSubject: %s %d\r\nMessage-ID: <%s-%d@far.example>\r\n\r\n" % (user, i, user, i)
    body = ""
    while len(body) < (size if i % 7 else size * 40): body += r.choice([".", "..", ".dot ", "x ", "From "]) + str(r.random()) * 3 + "\r\n"
    return head + body
json.dump([["%s-%d-%d" % (user, i, r.randrange(10**9)), text(i)] for i in range(count)], open(path, "w"))
EOF2
}
collect() { # ACCOUNT URL PASSWORD OPTION…: prints the number
  local account=$1 url=$2 password=$3
  shift 3
  q --json account collect add "$account@example.org" "$url" --password-stdin "$@" <<<"$password" |
    python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["id"])'
}
cell() { # ID COLUMN
  q --json account collect list | python3 -c 'import json,sys
for r in json.load(sys.stdin):
    if str(r["id"]) == sys.argv[1]: print(r[sys.argv[2]])' "$1" "$2"
}
comes_to() { # ID COLUMN PATTERN [TENTHS]
  local i value
  for ((i = 0; i < ${4:-150}; i++)); do
    value=$(cell "$1" "$2")
    grep -qE "$3" <<<"$value" && return 0
    sleep 0.1
  done
  echo "wanted in $2: $3; got: $value"
  q account collect list
  return 1
}
ran() { comes_to "$1" last-run . && comes_to "$1" state '^(waiting|failing|paused)$'; }
again() { # ID: once more, to its end
  local before
  before=$(grep -c "event=collected collection=$1 " "$dir/log")
  q account collect run "$1" && for ((i = 0; i < 150; i++)); do
    [ "$(grep -c "event=collected collection=$1 " "$dir/log")" -gt "$before" ] && return 0
    sleep 0.1
  done
}
# Each message of the maildrop file is in the account once, as it was behind our own trace field; nothing else is.
once() { # ACCOUNT ORIGINAL.json
  q export "$1@example.org" "$dir/once-$1" >/dev/null 2>&1
  python3 - "$dir/once-$1" "$2" <<'EOF2'
import glob, json, sys
got = sorted(open(f, "rb").read().replace(b"\r\n", b"\n").decode("latin-1") for f in glob.glob(sys.argv[1] + "/*/*"))
want = sorted(t.replace("\r\n", "\n") for _, t in json.load(open(sys.argv[2])))
trace = [g[: g.index("+0000\n") + 6] for g in got]
assert all(t.startswith("Received: from [127.0.0.1] ([127.0.0.1])\n\tby mx.example.org (Qasid) with POP3") for t in trace), trace
bare = sorted(g[len(t):] for g, t in zip(got, trace))
assert len(got) == len(want), (len(got), len(want))
assert bare == want, "not the same octets"
EOF2
  local code=$?
  rm -rf "$dir/once-$1"
  return $code
}
left_there() { is "$(python3 -c 'import json,sys; print(len(json.load(open(sys.argv[1]))))' "$dir/remote/$1.json")" "$2"; }

# --- the main job ---
drop good-a 30
cp "$dir/remote/good-a.json" "$dir/a.json"
id=$(collect one "pop3s://good-a@127.0.0.1:$tls" secret --delete)
ok "a mailbox is fetched over TLS and deleted there" comes_to "$id" result '^30 fetched, 30 deleted there$'
ok "each message is here once, as it was" once one "$dir/a.json"
ok "none is left there" left_there good-a 0
why_is() { q why "$1" >"$dir/why" && cat "$dir/why" && grep -q "$2" "$dir/why"; }
ok "and why tells whence it came" why_is good-a-7@far.example 'arrived.*from \[127.0.0.1\].*with POP3'
ok "and where it lies" why_is good-a-7@far.example 'is-there *one@example.org'

drop good-b 20
cp "$dir/remote/good-b.json" "$dir/b.json"
id=$(collect two "pop3://good-b@127.0.0.1:$plain" secret)
ok "STLS is said, and mail is left there" comes_to "$id" result '^20 fetched$'
ok "no password went in the clear" no grep -qE '(verb PASS|login good-b) clear' "$dir/remote/said"
ok "a second run brings nothing" again "$id"
ok "and says so" comes_to "$id" result '^nothing new$'
ok "each message is here once" once two "$dir/b.json"
ok "all are there still" left_there good-b 20
ok "deleted by its owner here, a message is not fetched again" bash -c "
  python3 - $pop3s $dir/cert.pem <<'EOF2' && exit 0
import poplib, ssl, sys
p = poplib.POP3_SSL('localhost', int(sys.argv[1]), context=ssl.create_default_context(cafile=sys.argv[2]))
p.user('two@example.org'); p.pass_('secret-two'); p.dele(1); p.quit()
EOF2"
again "$id"
ok "(it is not)" is "$(count_of two)" 19

drop good-e 2
id=$(collect two "pop3s://good-e@localhost:$tls" secret)
ok "a name is looked up, and the certificate is held against it" comes_to "$id" result '^2 fetched$'
id=$(collect two "pop3s://good-e@nowhere.invalid:$tls" secret)
ok "a name that is none fails in words" comes_to "$id" result '^nowhere.invalid: '
q account collect delete "$id"

# --- trouble there ---
drop wrong-a 3
id=$(collect three "pop3s://wrong-a@127.0.0.1:$tls" mistaken)
ok "a wrong password pauses the collection" comes_to "$id" state '^paused$'
ok "and its words are told, made safe" comes_to "$id" result 'it said: \[AUTH\] no such password  ?\[31m'
ok "it is not tried again" no q account collect run "$id"
ok "the log says so" grep -q 'a collection is paused' "$dir/log"
q account collect password "$id" --password-stdin <<<right-now
ok "with another password it goes on" comes_to "$id" result '^3 fetched$'

drop doubt-a 1
id=$(collect three "pop3s://doubt-a@127.0.0.1:$tls" secret)
ok "a login refused for another reason is tried again" comes_to "$id" state '^failing$'
q account collect delete "$id"

: >"$dir/remote/said"
drop good-c 2
id=$(collect three "pop3s://good-c@127.0.0.1:$othertls" secret)
ok "a certificate of somebody else is refused" comes_to "$id" result 'TLS with 127.0.0.1: '
ok "(and nothing was said)" no grep -q '^verb' "$dir/remote/said"
q account collect delete "$id"

touch "$dir/remote/inject"
id=$(collect three "pop3://good-c@127.0.0.1:$plain" secret)
ok "octets behind STLS are not believed" comes_to "$id" result 'behind its answer to STLS'
rm "$dir/remote/inject"
again "$id"
ok "(without them all is well)" comes_to "$id" result '^2 fetched$'

drop endless-a 1
id=$(collect three "pop3s://endless-a@127.0.0.1:$tls" secret)
ok "a line without end ends the run" comes_to "$id" result 'limit of ours|without end|does not speak'
pss() { awk '/^Pss:/ { print $2 }' "/proc/$(pid_of collector)/smaps_rollup"; }
case $qasid_bin in *asan*) ;; *) ok "and takes no memory" test "$(pss)" -lt 12000 ;; esac

drop nouidl-a 2
id=$(collect three "pop3s://nouidl-a@127.0.0.1:$tls" secret --delete)
ok "a server without UIDL is not collected from" comes_to "$id" result 'has no UIDL'
ok "(nothing was deleted there)" left_there nouidl-a 2

drop apop-a 2
id=$(collect three "pop3://apop-a@127.0.0.1:$plain" secret --no-tls)
ok "without TLS, APOP shows no password" comes_to "$id" result '^2 fetched$'

drop cut-a 6
cp "$dir/remote/cut-a.json" "$dir/cut.json"
id=$(collect five "pop3s://cut-a@127.0.0.1:$tls" secret --delete)
ok "a message at which the connection is lost is stepped over, and named" \
  comes_to "$id" result '^5 fetched, 5 deleted there, 1 stepped over: message 3 \(cut-a-2-[0-9]*\): the connection was lost'
ok "it is there still" left_there cut-a 1
ok "and in the list" comes_to "$id" stepped-over '^cut-a-2-[0-9]*$'
touch "$dir/remote/mended"
again "$id"
ok "it is tried again the next time, and only that" comes_to "$id" result '^1 fetched, 1 deleted there$'
ok "(and is no more in the list)" comes_to "$id" stepped-over '^$'
ok "each once" once five "$dir/cut.json"

drop stall-a 1
stalled=$(collect three "pop3s://stall-a@127.0.0.1:$tls" secret)
ok "a server that says nothing" comes_to "$stalled" state '^running$'
drop good-d 5
id=$(collect three "pop3s://good-d@127.0.0.1:$tls" secret)
ok "holds up no other" comes_to "$id" result '^5 fetched$'
ok "and can be left" bash -c "'$qasid_bin' -c '$dir/qasid.conf' account collect pause $stalled"
ok "at once" comes_to "$stalled" state '^paused$'

# --- servers that use a UIDL again, give two messages one, cut off, do not stuff dots, have long ones ---
box() { # USER [UIDL TEXT]…: the other server's maildrop
  python3 -c 'import json,sys
a = sys.argv[2:]
json.dump([[a[i], a[i + 1].encode().decode("unicode_escape")] for i in range(0, len(a), 2)], open(sys.argv[1], "w"))' "$dir/remote/$1.json" "${@:2}"
}
retrieved() { grep -c "^retr $1 $2\$" "$dir/remote/said"; }
add nine
M1='Subject: first\r\n\r\none\r\n' M2='Subject: second\r\n\r\ntwo\r\n' M3='Subject: third\r\n\r\nthr\r\n'

box good-twins u1 "$M1" u2 "$M2" u2 "$M3"
cp "$dir/remote/good-twins.json" "$dir/twins.json"
id=$(collect nine "pop3s://good-twins@127.0.0.1:$tls" secret --delete)
ok "messages that share a UIDL all come" comes_to "$id" result '^3 fetched, 3 deleted there$'
ok "each once" once nine "$dir/twins.json"
box good-twins u2 'Subject: again1\r\n\r\ntwo\r\n'
again "$id"
ok "a UIDL that is used again is another message" comes_to "$id" result '^1 fetched, 1 deleted there$'
ok "(it is here)" is "$(count_of nine)" 4
q account collect delete "$id"

add ten
box good-keep u1 "$M1" u2 "$M2" u2 "$M3"
cp "$dir/remote/good-keep.json" "$dir/keep.json"
id=$(collect ten "pop3s://good-keep@127.0.0.1:$tls" secret)
ok "kept there, twins come too" comes_to "$id" result '^3 fetched$'
again "$id"
ok "and once" comes_to "$id" result '^nothing new$'
box good-keep u1 "$M1"'more\r\n' u2 "$M2" u2 "$M3"
again "$id"
ok "with another size it is another message" comes_to "$id" result '^1 fetched$'
box good-keep
again "$id"
box good-keep u1 'Subject: f1rst\r\n\r\none\r\nmore\r\n' u2 "$M2"
again "$id"
ok "what was gone for a while and comes back is looked at" comes_to "$id" result '^1 fetched$'
q account collect delete "$id"

add eleven
box liar-a u-short "$M1" u2 "$M2" u3 "$M3"
id=$(collect eleven "pop3s://liar-a@127.0.0.1:$tls" secret --delete)
ok "what came short stays there, what came behind it goes" \
  comes_to "$id" result '^3 fetched, 2 deleted there, 1 stepped over: message 1 \(u-short\): fewer octets came than are listed$'
ok "(so it is)" left_there liar-a 1
before=$(retrieved liar-a u-short)
again "$id"
ok "it is fetched again" test "$(retrieved liar-a u-short)" -gt "$before"
ok "never deleted" left_there liar-a 1
ok "and here once" is "$(count_of eleven)" 3
ok "the list names it" comes_to "$id" stepped-over '^u-short$'
ok "it can be left out" q account collect leave-out "$id" u-short
before=$(retrieved liar-a u-short)
again "$id"
ok "then it is not fetched" is "$(retrieved liar-a u-short)" "$before"
ok "and the result says so" comes_to "$id" result '^1 left out$'
ok "and taken in again" q account collect take-in "$id" u-short
ok "(once)" no q account collect take-in "$id" u-short
q account collect delete "$id"

add twelve
box dots-a u1 '.\r\n..\r\nx\r\n' u2 "$M2" u3 "$M3"
id=$(collect twelve "pop3s://dots-a@127.0.0.1:$tls" secret --delete)
ok "a message that puts the session out of step is stepped over" \
  comes_to "$id" result '^2 fetched, 2 deleted there, 1 stepped over: message 1 \(u1\): '
ok "and is there still" left_there dots-a 1
again "$id"
ok "in the next run too" comes_to "$id" result '^1 stepped over: message 1 \(u1\): '
ok "and nothing of it is here" is "$(count_of twelve)" 2
q account collect delete "$id"

# A server whose sizes hide that a message is cut at its dot: as many octets come as LIST says (six lines), or more.
for how in '' --delete; do
  CUT="Subject: cut\\r\\n\\r\\n$(printf '%s\\r\\n' 1 2 3 4 5 6 ${how:+7 8 9}).\\r\\n+OK\\r\\nx\\r\\n"
  add "cut$how"
  box "raw-$how" u1 "$M1" u2 "$CUT" u3 "$M3"
  id=$(collect "cut$how" "pop3s://raw-$how@127.0.0.1:$tls" secret $how)
  ok "a message that is cut at its dot is named though its size is right ($how)" \
    comes_to "$id" result '1 stepped over: message 2 \(u2\): '
  ok "(in the list too)" comes_to "$id" stepped-over '^u2$'
  ok "(and what stands behind it came)" test "$(retrieved "raw-$how" u3)" -ge 1
  q account collect delete "$id"
done
ok "it is there still" left_there raw---delete 1

add thirteen
box raw-twins u1 '.\r\n..\r\nx\r\n' u2 "$M2" u1 "$M3"
id=$(collect thirteen "pop3s://raw-twins@127.0.0.1:$tls" secret --delete)
ok "what shares its UIDL with a message that is stepped over comes" \
  comes_to "$id" result '^2 fetched, 2 deleted there, 1 stepped over: message 1 \(u1\): '
box raw-twins u1 '.\r\n..\r\nx\r\n' u1 "$M1"
again "$id"
ok "in the next run too" comes_to "$id" result '^1 fetched, 1 deleted there, 1 stepped over: message 1 \(u1\): '
q account collect delete "$id"

box good-long "$(printf 'x%.0s' {1..90})" "$M1" 'b l a n k' "$M2"
id=$(collect twelve "pop3s://good-long@127.0.0.1:$tls" secret --delete)
ok "UIDLs that are none by RFC 1939 are known by their digests" comes_to "$id" result '^2 fetched, 2 deleted there$'
q account collect delete "$id"

# An account that fetches from itself doubles its mail once, not in each run.
before=$(count_of twelve)
id=$(collect twelve "pop3s://twelve@example.org@localhost:$pop3s" secret-twelve)
ran "$id"
again "$id"
again "$id"
ok "a circle is seen" comes_to "$id" result 'came through this collection before'
ok "and ends" is "$(count_of twelve)" $((2 * before))
q account collect delete "$id"

# --- trouble here ---
drop good-q 8 2000
q account quota seven@example.org 12000 >/dev/null
id=$(collect seven "pop3s://good-q@127.0.0.1:$tls" secret --delete)
ok "a full mailbox stops the run" comes_to "$id" result 'quota is used up'
here_now=$(count_of seven)
ok "and what did not come is there still" left_there good-q $((8 - here_now))
q account quota seven@example.org none >/dev/null
again "$id"
ok "with room the rest comes" comes_to "$id" fetched "^$((8 - here_now))\$"
ok "(all)" is "$(count_of seven)" 8

# Processes die in the middle, again and again. Whatever happens, each message comes once, none is lost.
drop slow-a 80 3000
cp "$dir/remote/slow-a.json" "$dir/slow.json"
id=$(collect eight "pop3s://slow-a@127.0.0.1:$tls" secret --delete)
kills() {
  local i process
  for ((i = 0; i < 7; i++)); do
    sleep 0.3
    for process in collector store auth; do
      [ $((RANDOM % 3)) = 0 ] && kill -9 "$(pid_of "$process")" 2>/dev/null
    done
    q account collect run "$id" >/dev/null 2>&1
  done
  for ((i = 0; i < 200; i++)); do
    q account collect run "$id" >/dev/null 2>&1
    left_there slow-a 0 >/dev/null && return 0
    sleep 0.2
  done
  q account collect list
  return 1
}
ok "killed again and again, the run comes to its end" kills
ok "and each message is here once" once eight "$dir/slow.json"
ok "the store is whole" q check

# --- where it may not go ---
ok "a port that is not named is refused" no q account collect add three@example.org pop3s://good-d@127.0.0.1:26 --password-stdin <<<secret
sed -i 's/^collect_private_addresses.*/collect_private_addresses = no/' "$dir/qasid.conf"
q reload >/dev/null
sleep 0.3
: >"$dir/remote/said"
id=$(collect one "pop3s://good-d@127.0.0.1:$tls" secret)
ok "this machine is not collected from" comes_to "$id" result 'private network'
ok "(it was not even dialled)" no grep -q connected "$dir/remote/said"
sed -i 's/^collect_private_addresses.*/collect_private_addresses = yes/' "$dir/qasid.conf"
q reload >/dev/null

# --- Dovecot as the other server ---
if command -v dovecot >/dev/null && [ "$(id -u)" = 0 ]; then
  mkdir -p "$dir/dovecot/mail/new" "$dir/dovecot/mail/cur" "$dir/dovecot/mail/tmp"
  for i in 1 2 3; do printf 'Subject: d%d\n\n.\n..\nbody\n' "$i" >"$dir/dovecot/mail/new/$i.M1P1.x"; done
  chown -R nobody:nogroup "$dir/dovecot/mail"
  cat >"$dir/dovecot/conf" <<EOF2
base_dir = $dir/dovecot/run
log_path = $dir/dovecot/log
protocols = pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <$dir/cert.pem
ssl_key = <$dir/key.pem
mail_location = maildir:$dir/dovecot/mail
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$dir/dovecot
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = $dovecot
  }
  inet_listener pop3s {
    port = $dovecots
    ssl = yes
  }
}
service anvil {
  chroot =
}
EOF2
  dovecot -F -c "$dir/dovecot/conf" 2>"$dir/dovecot/err" &
  dovecot_pid=$!
  for ((i = 0; i < 50; i++)); do (: <"/dev/tcp/127.0.0.1/$dovecots") 2>/dev/null && break; sleep 0.1; done
  id=$(collect three "pop3s://someone@127.0.0.1:$dovecots" secret --delete)
  ok "Dovecot is collected from" comes_to "$id" result '^3 fetched, 3 deleted there$'
  kill "$dovecot_pid" 2>/dev/null
fi

# --- the end of a collection ---
q account collect delete "$id"
ok "a deleted collection is gone" is "$(cell "$id" state)" ""
ok "an account's end is its collections' end" q account delete eight@example.org --yes
ok "(they are gone)" no grep -q eight <(q account collect list)
ok "the store is whole still" q check
ok "no secret is in the log" no grep -qE 'right-now|mistaken|=secret' "$dir/log"
finish
