#!/bin/bash
# POP3 clients that clients.sh has not: mutt, getmail, and Dovecot's own client, the store of `doveadm`.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
getmail_py=$(readlink -f "$(dirname "$0")/../getmail.py")
getmail_python=$(sed -n "1s/^#!//p" "$(command -v getmail)") # the one that has its modules
begin
option plaintext_auth yes # for doveadm, see below
option login_domain '"example.org"'
add bob carol dave erin
serve
cd "$dir"
ca=$dir/cert.pem
printf 'From: <alice@example.org>\r\nTo: <bob@example.org>\r\nMessage-ID: <1@example.org>\r\nSubject: one\r\n\r\nFirst line.\r\n.a line that begins with a dot\r\n' >one.txt
sed 's/one/two/; s/<1@/<2@/' one.txt >two.txt
for who in bob carol dave erin; do
  for m in one two; do
    curl -sS --mail-from alice@example.org --mail-rcpt "$who@example.org" --upload-file $m.txt "smtp://localhost:$smtp/client.example.net"
  done
done

# --- mutt: STLS, SASL or APOP; reads each message, copies it, deletes it at the server ---
mutt_pop() { # URL COMMANDS: what it does to the mailbox, then leaves
  cat >muttrc <<RC
set folder=$dir/mutt
set spoolfile=$1
set record=""
set ssl_starttls=yes
set ssl_force_tls=$3
set certificate_file=$ca
set ssl_verify_host=yes
set pop_delete=yes
set pop_checkinterval=0
set delete=yes
set move=no
set copy=no
set confirmappend=no
set confirmcreate=no
set wait_key=no
set sleep_time=0
set header_cache=
push '$2'
RC
  rm -rf mutt; mkdir -p mutt
  TERM=vt100 timeout 30 script -qec "mutt -F muttrc -n" /dev/null </dev/null >mutt.out 2>&1
}
ok "mutt with STLS copies a message" mutt_pop "pop://bob:secret-bob@localhost:$pop3" "<first-entry><copy-message>=kept<enter><quit>" yes
ok "its octets are there" grep -q '^\.a line that begins with a dot' mutt/kept
ok "mutt pop3s deletes the first message" mutt_pop "pops://bob:secret-bob@localhost:$pop3s" "<first-entry><delete-message><quit>" yes
ok "the second is left" bash -c "curl -sS --cacert '$ca' --user bob:secret-bob pop3s://localhost:$pop3s/1 | grep -q '^Subject: two'"
ok "one message" is "$(count_of bob)" 1

# --- getmail: UIDLs remembered, then deletion ---
mkdir -p getmail box/cur box/new box/tmp
getmail_rc() { # DELETE PORT TYPE
  cat >getmail/rc <<RC
[retriever]
type = Simple$3Retriever
server = localhost
port = $2
username = carol@example.org
password = secret-carol
$([ "$3" = POP3SSL ] && echo "ca_certs = $ca")
[destination]
type = Maildir
path = $dir/box/
[options]
read_all = false
delete = $1
received = false
delivered_to = false
RC
}
# It delivers nothing as root.
[ "$(id -u)" = 0 ] && chown -R nobody getmail box && as_nobody="setpriv --reuid=nobody --regid=nogroup --clear-groups"
getmail_() { HOME=$dir/getmail ${as_nobody:-} "$getmail_python" - --getmaildir="$dir/getmail" --rcfile="$dir/getmail/rc" <"$getmail_py"; }
getmail_rc false "$pop3s" POP3SSL
ok "getmail by pop3s" getmail_
ok "got both" is "$(ls box/new | wc -l)" 2
ok "getmail again" getmail_
ok "downloads nothing twice (UIDL)" is "$(ls box/new | wc -l)" 2
getmail_rc true "$pop3s" POP3SSL
ok "getmail deletes what it has" getmail_
ok "carol's mailbox is empty" is "$(count_of carol)" 0

# --- Dovecot's client: a mailbox that lies at another server, by POP3. It asks Dovecot's resolver for the address of
# 127.0.0.1 too, so one stands in for that. In the clear, because over TLS the client of 2.3 sits still for minutes
# when an answer comes before it looks (measured: 8 of 25 sessions, each answered in full). ---
python3 - "$dir/dns-client" <<'PY' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen(5)
s.settimeout(120)
while True:
    c = s.accept()[0]
    c.sendall(b"VERSION\tdns\t1\t0\n")
    f = c.makefile("rb")
    for line in f:
        if line.startswith(b"IP"): c.sendall(b"0\t127.0.0.1\n")
PY
resolver=$!
for _ in $(seq 300); do [ -S dns-client ] && break; sleep 0.1; done
mkdir -p home pop3c && chmod 777 home pop3c
user=$(id -un) group=$(id -gn)
[ "$(id -u)" = 0 ] && user=nobody group=nogroup
cat >dovecot.conf <<RC
base_dir = $dir
mail_location = pop3c:$dir/pop3c
mail_home = $dir/home
pop3c_host = 127.0.0.1
pop3c_port = $pop3
pop3c_user = dave@example.org
pop3c_password = secret-dave
mail_uid = $user
mail_gid = $group
first_valid_uid = 1
first_valid_gid = 1
ssl = no
log_path = /dev/stderr
stats_writer_socket_path =
RC
doveadm_() { USER=dave HOME=$dir/home timeout -s KILL 20 doveadm -c dovecot.conf "$@" 2>/dev/null; }
ok "doveadm reads the remote mailbox's UIDLs" bash -c "$(declare -f doveadm_); dir=$dir; doveadm_ fetch pop3.uidl all >uidls"
ok "they are those of POP3" is "$(sed -n 's/^pop3.uidl: //p' uidls | tr '\n' ' ')" \
  "$(curl -sS --user dave:secret-dave -X UIDL "pop3://localhost:$pop3/" | tr -d '\r' | awk '{printf "%s ", $2}')"
ok "doveadm fetches a message, octet for octet" bash -c "$(declare -f doveadm_); dir=$dir; doveadm_ fetch body uid 2 | grep -q '^\.a line that begins with a dot'"
ok "doveadm deletes one" doveadm_ expunge mailbox INBOX uid 1
ok "the other is left" bash -c "curl -sS --user dave:secret-dave pop3://localhost:$pop3/1 | grep -q '^Subject: two'"
ok "one message" is "$(count_of dave)" 1
kill $resolver
finish
