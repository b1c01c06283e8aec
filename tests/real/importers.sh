#!/bin/bash
# Files of real servers: what Courier and Cyrus show by POP3 is what Qasid shows once their files are imported.
# The servers are those of the machine, or of tools/old-servers; a server that is in neither is skipped.
#   importers.sh QASID
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
there=$(readlink -f "$(dirname "$0")/../../build/old-servers")
skipped=0
begin
trap 'stop >/dev/null 2>&1; [ ! -s "$dir/cyrus.pid" ] || kill "$(cat "$dir/cyrus.pid")"; rm -rf "$dir"' EXIT
cd "$dir"
add alice bob carol
serve
place() { [ -x "$1" ] && echo "" || { [ -x "$there$1" ] && echo "$there"; }; }
here() { # NAME: the UIDLs that our POP3 shows
  python3 - "$pop3" "$1" <<'END'
import poplib, sys
p = poplib.POP3("localhost", int(sys.argv[1]))
p.apop(sys.argv[2] + "@example.org", "secret-" + sys.argv[2])
print(*[l.split()[1].decode() for l in p.uidl()[1]])
p.quit()
END
}

# --- Courier ---
if root=$(place /usr/lib/courier/courier/courierpop3d); then
  mkdir -p box/cur box/new box/tmp
  mail() { printf 'From: <a@example.net>\nSubject: %s\n\nbody of %s\n' "$1" "$1" >"box/new/$1"; }
  courier() { # COMMAND…: its UIDLs
    printf '%s\r\n' "$@" UIDL QUIT |
      LD_LIBRARY_PATH=$root/usr/lib:$root/usr/lib/x86_64-linux-gnu:/usr/lib/courier-authlib "$root/usr/lib/courier/courier/courierpop3d" box 2>/dev/null |
      tr -d '\r' | awk '$2 ~ /^UID|^[0-9]+\.M/ {printf "%s%s", sep, $2; sep=" "}'
  }
  for i in 999 1000 1001 1002 1700000000; do mail "$i.M1P1.host,S=33"; done
  courier >/dev/null
  mail "1700000001.M2P1.host"
  courier 'RETR 1' 'DELE 2' >/dev/null
  # As older versions left them: numbers without a validity, and names.
  sed -i -E '4s/ ([0-9]+):[0-9]+:0$/ \1:0:0/; 5s/ [0-9]+:[0-9]+:0$/ 0:0:0/' box/courierpop3dsizelist
  shown=$(courier)
  ok "Courier shows five" is "$(wc -w <<<"$shown")" 5
  ok "of all three forms" grep -qE 'UID[0-9]+-[0-9]+ UID[0-9]+ [0-9]+\.M1P1' <<<"$shown"
  ok "its Maildir is imported" q import alice@example.org box
  ok "the same UIDLs in the same order" is "$(here alice)" "$shown"
  ok "again adds nothing" grep -q '^0 messages added, 5 there' <(q import alice@example.org box)
else
  echo "skipped: Courier is not here (tools/old-servers)"
  skipped=$((skipped + 1))
fi

# --- Cyrus ---
if root=$(place /usr/lib/cyrus/bin/master) && [ "$(id -u)" = 0 ]; then
  export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/usr/lib
  read -r cyrus_imap cyrus_pop < <(free_ports 2)
  mkdir -p conf/db conf/proc conf/socket conf/log conf/lock conf/backup spool
  cat >imapd.conf <<END
configdirectory: $dir/conf
partition-default: $dir/spool
defaultpartition: default
cyrus_user: nobody
cyrus_group: nogroup
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
altnamespace: no
unixhierarchysep: no
servername: localhost
popminpoll: 0
sendmail: /bin/true
END
  cat >cyrus.conf <<END
START {
  recover cmd="$root/usr/lib/cyrus/bin/ctl_cyrusdb -C $dir/imapd.conf -r"
}
SERVICES {
  imap cmd="$root/usr/lib/cyrus/bin/imapd -C $dir/imapd.conf" listen="127.0.0.1:$cyrus_imap" prefork=0
  pop3 cmd="$root/usr/lib/cyrus/bin/pop3d -C $dir/imapd.conf" listen="127.0.0.1:$cyrus_pop" prefork=0
}
EVENTS {
}
END
  chown -R nobody:nogroup conf spool
  "$root/usr/lib/cyrus/bin/master" -C "$dir/imapd.conf" -M "$dir/cyrus.conf" -p "$dir/cyrus.pid" -d >cyrus.out 2>&1
  cyrus() { # what its POP3 shows for bob
    python3 - "$cyrus_pop" <<'END'
import poplib, sys
p = poplib.POP3("127.0.0.1", int(sys.argv[1]))
p.user("bob"), p.pass_("x")
print(*[l.split()[1].decode() for l in p.uidl()[1]])
p.quit()
END
  }
  fill() {
    python3 - "$cyrus_imap" <<'END'
import imaplib, sys, time
for attempt in range(50):
    try: i = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
    except OSError: time.sleep(0.1)
    else: break
i.login("cyrus", "x"), i.create("user.bob"), i.logout()
i = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
i.login("bob", "x")
for n in range(7):
    i.append("INBOX", r"(\Seen)" if n == 2 else "", None, b"From: <a@b.example>\r\nSubject: %d\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nbody\r\n" % n)
i.select("INBOX"), i.store("2,5", "+FLAGS", r"(\Deleted)"), i.expunge(), i.logout()
END
  }
  ok "Cyrus has mail" fill
  shown=$(cyrus)
  ok "five of it are left" is "$(wc -w <<<"$shown")" 5
  unset LD_LIBRARY_PATH
  spool=$(dirname "$(find spool -name 5. | head -1)")
  ok "its folder is imported" q import bob@example.org "$spool"
  ok "the same UIDLs" is "$(here bob)" "$shown"
  export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/usr/lib
  kill "$(cat cyrus.pid)"
  for _ in $(seq 300); do
    pgrep -F cyrus.pid >/dev/null 2>&1 || break
    sleep 0.1
  done
  rm -f cyrus.pid
  echo 'uidl_format: dovecot' >>imapd.conf
  "$root/usr/lib/cyrus/bin/master" -C "$dir/imapd.conf" -M "$dir/cyrus.conf" -p "$dir/cyrus.pid" -d >cyrus.out 2>&1
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$cyrus_pop") 2>/dev/null && break
    sleep 0.1
  done
  shown=$(cyrus)
  unset LD_LIBRARY_PATH
  ok "with uidl_format: dovecot" q import carol@example.org "$spool" --uidl-from cyrus-dovecot
  ok "the same UIDLs too" is "$(here carol)" "$shown"
else
  echo "skipped: Cyrus is not here (tools/old-servers)"
  skipped=$((skipped + 1))
fi
[ "$skipped" -gt 0 ] && echo "0 passed, 0 failed, $skipped skipped"
finish
