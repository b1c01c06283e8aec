# Dovecot on loopback, as the server that one moves away from. Sourced behind tests/lib.sh.
#
#   dovecot_begin NAME…   accounts NAME@example.org, password old-NAME; a master user "boss", password old-boss
#   dovecot_put NAME N [SUBJECT]  N more messages for NAME
#   dovecot_end
#
# dovecot_mechanisms: its SASL mechanisms, else plain alone.
# $old is its port, with STLS by $dir/old/cert.pem. Mail is in $dir/old/mail/NAME@example.org/Maildir.

dovecot_begin() {
  local d=$dir/old uid gid n
  read -r old old_tls < <(free_ports 2)
  uid=$(id -u dovecot) gid=$(id -g dovecot)
  mkdir -p "$d/run" "$d/mail"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$d/key.pem" -out "$d/cert.pem" 2>/dev/null
  for n; do echo "$n@example.org:{PLAIN}old-$n"; done >"$d/users"
  echo "boss:{PLAIN}old-boss" >"$d/masters"
  cat >"$d/dovecot.conf" <<END
base_dir = $d/run
log_path = $d/log
protocols = pop3
ssl = yes
ssl_cert = <$d/cert.pem
ssl_key = <$d/key.pem
disable_plaintext_auth = yes
auth_mechanisms = ${dovecot_mechanisms:-plain}
auth_master_user_separator = *
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_max_userip_connections = 0
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = $d/masters
  master = yes
}
passdb {
  driver = passwd-file
  args = $d/users
}
userdb {
  driver = static
  args = uid=$uid gid=$gid home=$d/mail/%u
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    address = 127.0.0.1
    port = $old
  }
  inet_listener pop3s {
    address = 127.0.0.1
    port = $old_tls
    ssl = yes
  }
}
END
  chown -R dovecot:dovecot "$d/mail"
  dovecot -c "$d/dovecot.conf"
  for n in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$old") 2>/dev/null && break
    sleep 0.1
  done
}

dovecot_end() { [ -f "$dir/old/run/master.pid" ] && kill "$(cat "$dir/old/run/master.pid")" 2>/dev/null; }

# Some of all kinds: empty, dots, long lines, no end of the last line, large.
dovecot_put() {
  python3 - "$dir/old/mail/$1@example.org/Maildir" "$2" "${3:-mail}" <<'END'
import os, random, sys, time
box, count, subject = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for sub in ("cur", "new", "tmp"): os.makedirs(os.path.join(box, sub), exist_ok=True)
bodies = [b"one line\n", b".dot\n..two\n", b"", b"x" * 5000 + b"\n", b"no end", b"The quick brown fox\n" * 6000, b"caf\xc3\xa9 \xff\n"]
for i in range(count):
    seq = time.time_ns()
    text = b"From: <a@example.net>\nTo: <b@example.org>\nSubject: %s %d\n\n" % (subject.encode(), i) + bodies[i % len(bodies)]
    with open(os.path.join(box, "tmp", str(seq)), "wb") as f: f.write(text)
    os.rename(os.path.join(box, "tmp", str(seq)), os.path.join(box, "new", "%d.M%dP%d.old" % (seq // 10**9, seq % 10**9, os.getpid())))
END
  chown -R dovecot:dovecot "$dir/old/mail"
}

# UIDLs as POP3 shows them: pop_uidls PORT USER PASSWORD (over STLS)
pop_uidls() {
  python3 - "$@" <<'END'
import poplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
p = poplib.POP3("localhost", int(sys.argv[1]))
p.stls(context)
p.user(sys.argv[2])
p.pass_(sys.argv[3])
print(*[l.decode() for l in p.uidl()[1]], sep="\n")
p.quit()
END
}
