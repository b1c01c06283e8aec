#!/bin/bash
# The log as other programs read it: fail2ban's filter on each form of a line, also with clients that try to have others
# banned; logrotate moves a file; logwatch's script sums it up.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
packaging=$(readlink -f "$(dirname "$0")/../../packaging")
begin
option log_to "\"$dir/qasid.log\""
option plaintext_auth yes
option auth_penalty_most 0
add alice
touch "$dir/log"
"$qasid_bin" -c "$dir/qasid.conf" serve 2>>"$dir/log" &
server=$!
for _ in $(seq 300); do grep -q event=ready "$dir/qasid.log" 2>/dev/null && break; sleep 0.1; done

clients() {
  python3 - "$smtp" "$submission" "$pop3" <<'PY'
import base64, poplib, socket, sys
smtp, submission, pop3 = map(int, sys.argv[1:])
forged = 'x event=login-failed session=1-1-1 service=submission client=192.0.2.77 name=a mechanism=PLAIN why="wrong password"'
def pop(password):
    p = poplib.POP3("127.0.0.1", pop3)
    try: p.user("alice@example.org"); p.pass_(password)
    except poplib.error_proto: pass
    p.close()
def smtp_says(port, *lines):
    s = socket.create_connection(("127.0.0.1", port)); f = s.makefile("rwb")
    for line in (None,) + lines:
        if line: f.write(line.encode() + b"\r\n"); f.flush()
        while f.readline()[3:4] == b"-": pass
    s.close()
plain = lambda name: "AUTH PLAIN " + base64.b64encode(("\0%s\0wrong" % name).encode()).decode()
pop("wrong-1")
pop("secret-alice")
smtp_says(submission, "EHLO x", plain("alice@example.org"), plain(forged))
smtp_says(smtp, "EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<nobody@example.org>",
          'RCPT TO:<"x client=192.0.2.78 code=\\"550 5.1.1\\""@example.org>', "RCPT TO:<alice@example.org>", "DATA",
          "Subject: x\r\nMessage-ID: <%s>\r\n\r\nx\r\n." % forged, "QUIT")
PY
}
closed() { # N: so many connections have ended
  local i
  for ((i = 0; i < 50; i++)); do
    [ "$(grep -cE 'event(=|":")closed' "$dir/qasid.log" 2>/dev/null)" -ge "$1" ] 2>/dev/null && return 0
    sleep 0.1
  done
  return 1
}
clients
ok "four connections" closed 4
cp "$dir/qasid.log" "$dir/file.log"
ok "the log file is not for everybody" is "$(stat -c %a "$dir/qasid.log")" 600

# --- fail2ban ---
banned() { # FILE MODE: the addresses that the filter finds
  fail2ban-regex --raw -o '<ip>' "$1" "$packaging/fail2ban-filter.conf[mode=$2]" 2>/dev/null | sort | uniq -c | awk '{ print $2 "x" $1 }' | tr '\n' ' '
}
if command -v fail2ban-regex >/dev/null; then
  sed -E 's/^time=\S+ /Nov 28 22:58:25 mx qasid[17]: /' "$dir/file.log" >"$dir/syslog.log"
  sed -E 's/^time=\S+ /2026-11-28T22:58:25+0000 mx qasid[17]: /' "$dir/file.log" >"$dir/journal.log"
  for form in file syslog journal; do
    ok "fail2ban, $form: the three failed logins, nothing that a client made up" is "$(banned "$dir/$form.log" normal)" "127.0.0.1x3 "
    ok "fail2ban, $form, aggressive: the unknown recipients too" is "$(banned "$dir/$form.log" aggressive)" "127.0.0.1x5 "
  done
  ok "what the server puts off is nobody's fault" is "$(echo 'time=2026-11-28T22:58:25.538Z level=warn process=auth-2 event=login-failed session=1-1-1 service=submission client=192.0.2.9 name=a@b mechanism=PLAIN why="told to try later"' >"$dir/one.log"; banned "$dir/one.log" aggressive)" ""
  ok "the time is the line's, in UTC" bash -c "sed 's/told to try later/wrong password/' $dir/one.log >$dir/two.log; TZ=Asia/Baku fail2ban-regex --raw -o '<time>' $dir/two.log $packaging/fail2ban-filter.conf | grep '^1795906705'"
  option log_format json
  ok "a reload to another format" q reload
  clients
  ok "four connections more" closed 8
  grep '^{' "$dir/qasid.log" >"$dir/json.log"
  ok "fail2ban, json" is "$(banned "$dir/json.log" normal)" "127.0.0.1x3 "
  ok "fail2ban, json, aggressive" is "$(banned "$dir/json.log" aggressive)" "127.0.0.1x5 "
else
  ok "fail2ban-regex is here (package fail2ban)" false
fi

# --- logrotate ---
sed -e "s|/var/log/qasid/qasid.log|$dir/qasid.log|; s|qasid reload|$qasid_bin -c $dir/qasid.conf reload|" "$packaging/logrotate.conf" >"$dir/rotate.conf"
chmod 644 "$dir/rotate.conf"
chmod 700 "$dir"
ok "logrotate moves the file" all 'logrotate -f -s $dir/rotate.state $dir/rotate.conf' 'test -s $dir/qasid.log.1'
lines=$(wc -l <"$dir/qasid.log.1")
clients
ok "new lines go into the new file" closed 4
ok "and none into the one that was moved" is "$(wc -l <"$dir/qasid.log.1")" "$lines"

echo 'log_format = nonsense' >>"$dir/qasid.conf"
refused() { # WORDS: a reload ends with 78, says the mistake once, and the log's file is opened anew
  local code=0
  mv "$dir/qasid.log" "$dir/qasid.log.0"
  "$qasid_bin" -c "$dir/qasid.conf" reload >"$dir/words" 2>&1 || code=$?
  [ "$code" = 78 ] && grep -q "$1" "$dir/words" && [ -z "$(sort "$dir/words" | uniq -d)" ] && grep -q "$1" "$dir/qasid.log"
}
ok "a reload with a mistake is refused, and the file is opened anew" refused 'log_format: .*nonsense'
mv "$dir/qasid.log" "$dir/qasid.log.0"
kill -HUP "$server"
for _ in $(seq 300); do [ -s "$dir/qasid.log" ] && break; sleep 0.1; done
ok "a SIGHUP with one is too" test -s "$dir/qasid.log"
sed -i '$d' "$dir/qasid.conf"
sed -i '1i tls_min_version = "1.2' "$dir/qasid.conf" # a quote that is not closed, in front of run_dir
ok "likewise when nothing behind the mistake can be read" refused 'qasid.conf:'
sed -i '1d' "$dir/qasid.conf"
cp "$dir/qasid.conf" "$dir/other.conf"
echo 'log_format = nonsense' >>"$dir/other.conf"
ok "a mistake in a file that the server does not have is said, too" bash -c \
  "$qasid_bin -c $dir/other.conf reload >$dir/words 2>&1; [ \$? = 78 ] && grep -q nonsense $dir/words"
if command -v logrotate >/dev/null; then
  echo 'log_format = nonsense' >>"$dir/qasid.conf"
  logrotate -f -s "$dir/rotate.state" "$dir/rotate.conf" >"$dir/words" 2>&1
  ok "logrotate shows it, and the new file is in use" all 'grep -q nonsense $dir/words' 'test -s $dir/qasid.log'
  sed -i '$d' "$dir/qasid.conf"
fi

# --- logwatch ---
perl "$packaging/logwatch-script" <"$dir/file.log" >"$dir/page"
ok "logwatch: messages" grep -qE '^ +1  messages accepted' "$dir/page"
ok "logwatch: who was refused, and why" grep -qE '^ +[12]  550 5\.1\.1 ' "$dir/page"
ok "logwatch: failed logins" grep -qE '^ +2  127\.0\.0\.1  alice@example\.org  \(wrong password\)' "$dir/page"
ok "logwatch: nothing that a client made up" no grep -qE '^ +[0-9]+  192\.0\.2' "$dir/page"
stop
finish
