# Postfix and Dovecot from Debian's packages, each in a folder and on ports of its own. Sourced by bench/run.
# Only what is started here is stopped here.

peers_install() {
  command -v postfix >/dev/null && command -v dovecot >/dev/null && return
  echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
  # Installing must not start them on the machine's own ports.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postfix dovecot-core dovecot-pop3d >&2
  rm -f /usr/sbin/policy-rc.d
}

# postfix_start DIR PORT USERS: user0 … have a Maildir each, which is one synced file a message, as with
# Dovecot. Names are not looked up: there may be no DNS to ask. → $postfix_pid, $postfix_queue, $postfix_mail
postfix_start() {
  local d=$1 port=$2 users=$3 s
  mkdir -p "$d/conf" "$d/queue" "$d/data" "$d/mail"
  chmod 755 "$d" "$(dirname "$d")"
  chown postfix "$d/data"
  chown postfix:postfix "$d/mail"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -keyout "$d/key.pem" -out "$d/cert.pem" 2>/dev/null
  cat >"$d/conf/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $d/queue
data_directory = $d/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = $d/log
maillog_file_prefixes = $d
myhostname = mx.bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = bench.example
virtual_mailbox_base = $d/mail
virtual_mailbox_maps = texthash:$d/conf/boxes
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = 52428800
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
disable_dns_lookups = yes
notify_classes =
in_flow_delay = 0
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
mynetworks = 127.0.0.1/32
relayhost = [127.0.0.1]:12526
transport_maps = texthash:$d/conf/transport
smtpd_tls_security_level = may
smtpd_tls_cert_file = $d/cert.pem
smtpd_tls_key_file = $d/key.pem
smtpd_tls_session_cache_database =
alias_maps =
EOF
  for ((s = 0; s < users; s++)); do echo "user$s@bench.example user$s/"; done >"$d/conf/boxes"
  trouble_table transport >"$d/conf/transport"
  {
    echo "127.0.0.1:$port inet n - n - 200 smtpd"
    for s in "cleanup unix n - n - 0 cleanup" "qmgr unix n - n 300 1 qmgr" "rewrite unix - - n - - trivial-rewrite" \
      "bounce unix - - n - 0 bounce" "defer unix - - n - 0 bounce" "trace unix - - n - 0 bounce" "verify unix - - n - 1 verify" \
      "flush unix n - n 1000? 0 flush" "proxymap unix - - n - - proxymap" "smtp unix - - n - - smtp" "showq unix n - n - - showq" \
      "error unix - - n - - error" "retry unix - - n - - error" "discard unix - - n - - discard" "virtual unix - n n - - virtual" \
      "tlsmgr unix - - n 1000? 1 tlsmgr" "anvil unix - - n - 1 anvil" "scache unix - - n - 1 scache" "pickup unix n - n 60 1 pickup" "postlog unix-dgram n - n - 1 postlogd"; do
      echo "$s"
    done
  } >"$d/conf/master.cf"
  postfix -c "$d/conf" start >/dev/null 2>&1
  sleep 1
  postfix_pid=$(tr -d ' ' <"$d/queue/pid/master.pid")
  postfix_queue=$d/queue postfix_mail=$d/mail
}

postfix_relays() { relays Postfix "$1" "$2" 12525 "$postfix_pid" 12526; }

postfix_relays_beside() {
  local trouble
  for trouble in no yes; do
    relays_beside "Postfix, dead and slow ones queued first: $trouble" "$1" 12525 "$trouble"
  done
}

postfix_delivered() { find "$postfix_mail" -path '*/new/*' -type f | wc -l; }

postfix_stop() { postfix -c "$1/conf" stop >/dev/null 2>&1; }

# dovecot_start DIR PORT TLS_PORT USERS: pop0 … have 10 messages of 4 KB, big0 … big3 have 1,000 of 50 KB → $dovecot_pid
dovecot_start() {
  local d=$1 port=$2 tls_port=$3 users=$4 uid
  mkdir -p "$d/conf" "$d/run" "$d/mail"
  chmod 755 "$d" "$(dirname "$d")"
  uid=$(id -u dovecot)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -keyout "$d/key.pem" -out "$d/cert.pem" 2>/dev/null
  cat >"$d/conf/dovecot.conf" <<EOF
base_dir = $d/run
log_path = $d/log
protocols = pop3
ssl = yes
ssl_cert = <$d/cert.pem
ssl_key = <$d/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_max_userip_connections = 0
passdb {
  driver = static
  args = password={PLAIN}secret
}
userdb {
  driver = static
  args = uid=$uid gid=$(id -g dovecot) home=$d/mail/%u
}
service pop3-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 2000
  inet_listener pop3 {
    address = 127.0.0.1
    port = $port
  }
  inet_listener pop3s {
    address = 127.0.0.1
    port = $tls_port
    ssl = yes
  }
}
service pop3 {
  service_count = 100000
  process_min_avail = 20
  process_limit = 200
}
service auth {
  client_limit = 10000
}
service anvil {
  client_limit = 10000
}
EOF
  python3 - "$d/mail" "$users" <<'EOF'
import os, sys
base, users = sys.argv[1], int(sys.argv[2])
def fill(user, count, size):
    box = os.path.join(base, user, "Maildir")
    for sub in ("cur", "new", "tmp"): os.makedirs(os.path.join(box, sub), exist_ok=True)
    body = b"From: <load@example.net>\nTo: <you@bench.example>\nSubject: load\n\n"
    line = b"The quick brown fox jumps over the lazy dog, again and again\n"
    body += line * ((size - len(body)) // (len(line) + 1))
    for i in range(count):
        with open(os.path.join(box, "new", "%d.M%d.bench" % (1700000000 + i, i)), "wb") as f: f.write(body)
for u in range(users): fill("pop%d@bench.example" % u, 10, 4096)
for u in range(4): fill("big%d@bench.example" % u, 1000, 51200)
EOF
  chown -R dovecot:dovecot "$d/mail"
  dovecot -c "$d/conf/dovecot.conf"
  sleep 1
  dovecot_pid=$(cat "$d/run/master.pid")
}

dovecot_stop() { kill "$(cat "$1/run/master.pid")"; }
