# Postfix, Exim and OpenSMTPD from Debian's packages as neighbours: each takes mail for its domain, and sends what is for ours to us.
# Sourced; they live in folders of their own and on loopback addresses of their own. Only what is started here is stopped.

# They are mail-transport-agents and conflict, so they are unpacked, not installed. False without the packages.
neighbours_get() { # DIR
  mkdir -p "$1" && cd "$1" || return
  [ -x root/usr/sbin/exim4 ] || { apt-get download -q exim4-daemon-light exim4-base && for d in exim4*.deb; do dpkg -x "$d" root; done; } || return
  [ -x root/usr/lib/postfix/sbin/master ] || { apt-get download -q postfix && dpkg -x postfix*.deb root; } || return
  [ -x root/usr/sbin/smtpd ] || { apt-get download -q opensmtpd && dpkg -x opensmtpd*.deb root; }
}

# Mail for NAME@postfix.test goes into files of mail/, for back@postfix.test to alice@example.org.
postfix_neighbour() { # DIR ROOT ADDRESS PORT OUR-PORT
  local d=$1 root=$2 s
  mkdir -p "$d/conf" "$d/queue" "$d/data" "$d/mail"
  chmod 755 "$d"
  getent passwd postfix >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin postfix
  getent group postdrop >/dev/null || groupadd --system postdrop
  chown postfix "$d/data" "$d/mail"
  cat >"$d/conf/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $d/queue
data_directory = $d/data
daemon_directory = $root/usr/lib/postfix/sbin
command_directory = $root/usr/sbin
shlib_directory = $root/usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = $d/log
maillog_file_prefixes = $d
myhostname = mx.postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = $d/mail
virtual_mailbox_maps = inline:{ { bob@postfix.test = bob/ } { carl@postfix.test = carl/ } }
virtual_alias_maps = inline:{ { back@postfix.test = alice@example.org } { lost@postfix.test = nobody@example.org } }
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
transport_maps = inline:{ { example.org = smtp:[127.0.0.1]:$5 } }
smtpd_peername_lookup = no
disable_dns_lookups = yes
notify_classes =
in_flow_delay = 0
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_chain_files = $dir/key.pem, $dir/cert.pem
smtpd_tls_security_level = may
smtp_tls_security_level = may
alias_maps =
import_environment = MAIL_CONFIG LD_LIBRARY_PATH MAIL_LOGTAG
export_environment = MAIL_CONFIG LD_LIBRARY_PATH MAIL_LOGTAG
EOF
  {
    echo "$3:$4 inet n - n - 20 smtpd"
    for s in "cleanup unix n - n - 0 cleanup" "qmgr unix n - n 300 1 qmgr" "rewrite unix - - n - - trivial-rewrite" \
      "bounce unix - - n - 0 bounce" "defer unix - - n - 0 bounce" "trace unix - - n - 0 bounce" "verify unix - - n - 1 verify" \
      "flush unix n - n 1000? 0 flush" "proxymap unix - - n - - proxymap" "smtp unix - - n - - smtp" "showq unix n - n - - showq" \
      "error unix - - n - - error" "retry unix - - n - - error" "discard unix - - n - - discard" "virtual unix - n n - - virtual" \
      "anvil unix - - n - 1 anvil" "scache unix - - n - 1 scache" "tlsmgr unix - - n 1000? 1 tlsmgr" "postlog unix-dgram n - n - 1 postlogd"; do
      echo "$s"
    done
  } >"$d/conf/master.cf"
  (cd "$d/queue" && mkdir active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace &&
    chown postfix active bounce corrupt defer deferred flush hold incoming maildrop private public saved trace)
  LD_LIBRARY_PATH=$root/usr/lib/postfix MAIL_CONFIG=$d/conf "$root/usr/lib/postfix/sbin/master" -c "$d/conf" >"$d/out" 2>&1 &
  postfix_pid=$!
}

# The same of exim.test.
exim_neighbour() { # DIR ROOT ADDRESS PORT OUR-PORT
  local d=$1
  getent passwd Debian-exim >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim
  mkdir -p "$d/spool" "$d/mail"
  chmod 755 "$d"
  chown -R nobody "$d"
  cp "$dir/key.pem" "$d/key.pem" && chown nobody "$d/key.pem"
  cat >"$d/conf" <<EOF
primary_hostname = mx.exim.test
exim_path = $2/usr/sbin/exim4
exim_user = nobody
exim_group = nogroup
spool_directory = $d/spool
log_file_path = $d/%slog
pid_file_path = $d/pid
local_interfaces = $3
daemon_smtp_ports = $4
host_lookup =
rfc1413_hosts =
tls_advertise_hosts = *
tls_certificate = $dir/cert.pem
tls_privatekey = $d/key.pem
dsn_advertise_hosts = *
prdr_enable = true
acl_smtp_rcpt = check
queue_run_max = 5
begin acl
check:
  accept domains = exim.test
         verify = recipient
  deny message = not here
begin routers
elsewhere:
  driver = manualroute
  domains = example.org
  route_list = * 127.0.0.1::$5
  self = send
  transport = remote
back:
  driver = redirect
  local_parts = back
  data = alice@example.org
lost:
  driver = redirect
  local_parts = lost
  data = nobody@example.org
box:
  driver = accept
  local_parts = bob : carl
  transport = box
begin transports
remote:
  driver = smtp
  interface = $3
  hosts_try_dane =
box:
  driver = appendfile
  directory = $d/mail/\$local_part_data
  maildir_format
  create_directory
  user = nobody
  group = nogroup
EOF
  "$2/usr/sbin/exim4" -C "$d/conf" -bd -q10s >"$d/out" 2>&1
  wait_file "$d/pid" && exim_pid=$(cat "$d/pid")
}

# The same of opensmtpd.test. Its folders are compiled in, so it gets a mount namespace with its own; false where none can be made.
opensmtpd_neighbour() { # DIR ROOT ADDRESS PORT OUR-PORT
  local d=$1 user
  unshare --mount true 2>/dev/null || return
  no grep -q "not found" <(ldd "$2/usr/sbin/smtpd") || return
  for user in opensmtpd opensmtpq; do getent passwd $user >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin $user; done
  mkdir -p "$d/mail"
  chmod 755 "$d"
  chown nobody "$d/mail"
  install -m 600 "$dir/key.pem" "$d/key.pem"
  cat >"$d/conf" <<EOF
pki mx.opensmtpd.test cert "$dir/cert.pem"
pki mx.opensmtpd.test key "$d/key.pem"
table who { "bob@opensmtpd.test" = "nobody", "carl@opensmtpd.test" = "nobody", "back@opensmtpd.test" = "alice@example.org", "lost@opensmtpd.test" = "nobody@example.org" }
listen on $3 port $4 tls pki mx.opensmtpd.test hostname mx.opensmtpd.test
action "box" maildir "$d/mail/%{rcpt.user}" virtual <who>
action "out" relay host "smtp://127.0.0.1:$5" src $3 helo mx.opensmtpd.test
match from any for domain "opensmtpd.test" action "box"
match from any for domain "example.org" action "out"
EOF
  # shellcheck disable=SC2016
  unshare --mount --propagation private sh -c 'set -e
    for folder in /var/spool /var/lib /run; do mount -t tmpfs none $folder; done
    mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
    chmod 711 /var/spool/smtpd
    mkdir -p /usr/libexec && mount --bind "$1/usr/libexec" /usr/libexec
    exec "$1/usr/sbin/smtpd" -d -f "$2"' sh "$2" "$d/conf" >"$d/out" 2>&1 &
  opensmtpd_pid=$!
}

wait_file() { local i; for ((i = 0; i < 100; i++)); do [ -s "$1" ] && return; sleep 0.1; done; return 1; }
