#!/bin/bash
# SASL mechanisms with clients that were written by others: curl, swaks, msmtp and mpop and gsasl (GNU SASL), and our own.
qasid_bin=$(realpath "$1")
. "$(dirname "$0")/../lib.sh"
begin
option auth_mechanisms '{ "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5" }'
option auth_penalty_most 1
add alice bob
q account add plain@example.org --password-stdin <<<secret-plain >/dev/null
q account add carol@example.org --scram --password-stdin <<<secret-carol >/dev/null
serve
cd "$dir"
printf 'From: <alice@example.org>\nTo: <bob@example.org>\nSubject: mechanisms\n\nFirst line.\n' >mail.lf
sed 's/$/\r/' mail.lf >mail.txt
ca=$dir/cert.pem
sent=0
# What is sent is counted, and then looked for.
sends() { ok "$@"; sent=$((sent + 1)); }

# --- SMTP ---
curl_send() { curl -sS --cacert "$ca" --ssl-reqd --mail-from alice@example.org --mail-rcpt bob@example.org --upload-file mail.txt "$@"; }
curl_auth() { # MECHANISM USER PASSWORD
  curl_send --user "$2:$3" --login-options "AUTH=$1" "smtp://localhost:$submission/client.example.net"
}
msmtp_() { # METHOD PASSWORD ARGUMENT…
  local method=$1 password=$2
  shift 2
  msmtp --host=localhost --auth="$method" --user=alice@example.org --passwordeval="echo $password" --from=alice@example.org "$@" bob@example.org <mail.lf
}
in_tls="--tls=on --tls-starttls=on --tls-trust-file=$ca"
swaks_() { swaks --silent 2 --server localhost --from alice@example.org --to bob@example.org --body "from swaks" --auth-user alice@example.org "$@"; }

for m in CRAM-MD5 PLAIN LOGIN; do
  sends "curl submission AUTH $m" curl_auth $m alice@example.org secret-alice
  ok "curl submission AUTH $m, wrong password" no curl_auth $m alice@example.org wrong
done
# libcurl speaks SCRAM only when it was built with GNU SASL.
if curl -V | grep -qi gsasl; then
  sends "curl submission AUTH SCRAM-SHA-256" curl_auth SCRAM-SHA-256 alice@example.org secret-alice
fi
sends "swaks submission AUTH CRAM-MD5 in TLS" swaks_ --port "$submission" --tls --auth CRAM-MD5 --auth-password secret-alice
sends "swaks submission AUTH CRAM-MD5 in the clear" swaks_ --port "$submission" --auth CRAM-MD5 --auth-password secret-alice
ok "swaks submission AUTH CRAM-MD5, wrong password" no swaks_ --port "$submission" --tls --auth CRAM-MD5 --auth-password wrong
for m in scram-sha-256 scram-sha-1 cram-md5; do
  # shellcheck disable=SC2086
  sends "msmtp submission $m" msmtp_ $m secret-alice --port="$submission" $in_tls
  # shellcheck disable=SC2086
  ok "msmtp submission $m, wrong password" no msmtp_ $m wrong --port="$submission" $in_tls
done
q_send() { # METHOD PASSWORD
  (echo "$2" && cat mail.txt) | q send --ca "$ca" --starttls --auth "$1" --password-stdin --to bob@example.org "smtp://alice@example.org@localhost:$submission"
}
for m in scram-sha-256-plus scram-sha-1-plus scram-sha-256 scram-sha-1 cram-md5 plain login; do
  sends "qasid send $m" q_send $m secret-alice
  ok "qasid send $m, wrong password" no q_send $m wrong
done
ok "each of $sent messages is in the mailbox" is "$(count_of bob)" "$sent"

# --- channel binding (tls-exporter), with GNU SASL ---
gsasl_() { # MECHANISM PASSWORD ARGUMENT…
  local mechanism=$1 password=$2
  shift 2
  timeout 20 gsasl --smtp --connect "localhost:$submission" --x509-ca-file="$ca" --mechanism="$mechanism" --hostname=localhost --service=smtp \
    --authentication-id=alice@example.org --password="$password" "$@" </dev/null
}
says() { # PATTERN COMMAND…
  local pattern=$1
  shift
  "$@" 2>&1 | tee "$dir/said" | grep -q "$pattern" || { cat "$dir/said"; return 1; }
}
for m in SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS; do
  ok "gsasl $m" says '^235 ' gsasl_ $m secret-alice
  ok "gsasl $m, wrong password" says '^535 ' gsasl_ $m wrong
done
ok "gsasl SCRAM-SHA-256 without binding" says '^235 ' gsasl_ SCRAM-SHA-256 secret-alice --no-cb
ok "with TLS 1.2 no -PLUS is announced" no says 'AUTH .*-PLUS' gsasl_ PLAIN secret-alice --priority=NORMAL:-VERS-TLS1.3
ok "in the clear neither" no says 'AUTH .*-PLUS' timeout 10 swaks --server localhost --port "$submission" --quit-after EHLO
ok "with TLS 1.3 it is" says 'AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS' timeout 10 swaks --server localhost --port "$submission" --tls --quit-after EHLO

# --- an account that keeps SCRAM's verifiers and no password ---
gsasl_carol() { # MECHANISM PASSWORD
  timeout 20 gsasl --smtp --connect "localhost:$submission" --x509-ca-file="$ca" --mechanism="$1" --hostname=localhost --service=smtp \
    --authentication-id=carol@example.org --password="$2" "${@:3}" </dev/null
}
for m in SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS; do
  ok "gsasl $m, verifiers only" says '^235 ' gsasl_carol $m secret-carol
  ok "gsasl $m, verifiers only, wrong password" says '^535 ' gsasl_carol $m wrong
done
ok "gsasl SCRAM-SHA-1, verifiers only" says '^235 ' gsasl_carol SCRAM-SHA-1 secret-carol --no-cb
ok "gsasl CRAM-MD5, verifiers only" says '^535 ' gsasl_carol CRAM-MD5 secret-carol
carol_list() { echo "$2" | q fetch --ca "$ca" --starttls --auth "$1" --password-stdin --list "pop3://carol@example.org@localhost:$pop3"; }
ok "qasid fetch scram-sha-256-plus, verifiers only" carol_list scram-sha-256-plus secret-carol
ok "and after another password" q account passwd carol@example.org --password-stdin <<<other-carol
ok "the old one is no more" no carol_list scram-sha-256 secret-carol
ok "the new one is" carol_list scram-sha-256 other-carol

# --- POP3 ---
mkdir -p box/cur box/new box/tmp
mpop_() { # METHOD PASSWORD ARGUMENT…
  local method=$1 password=$2
  shift 2
  mpop --host=localhost --auth="$method" --user=bob@example.org --passwordeval="echo $password" --delivery=maildir,box \
    --uidls-file="$dir/uidls-$RANDOM$RANDOM" --keep=on "$@"
}
curl_list() { curl -sS --cacert "$ca" --ssl-reqd --user "bob@example.org:$2" --login-options "AUTH=$1" "pop3://localhost:$pop3/"; }
for m in scram-sha-256 scram-sha-1 cram-md5; do
  # shellcheck disable=SC2086
  ok "mpop $m" mpop_ $m secret-bob --port="$pop3" $in_tls
  # shellcheck disable=SC2086
  ok "mpop $m, wrong password" no mpop_ $m wrong --port="$pop3" $in_tls
done
for m in scram-sha-256 scram-sha-1; do
  ok "mpop $m, verifiers only" mpop --host=localhost --port="$pop3" --tls=off --auth=$m --user=carol@example.org --passwordeval="echo other-carol" \
    --delivery=maildir,box --uidls-file="$dir/uidls-carol-$m" --keep=on
done
ok "mpop scram-sha-256 in the clear" mpop_ scram-sha-256 secret-bob --port="$pop3" --tls=off
ok "each time everything came" is "$(find box/new -type f | wc -l)" $((4 * sent))
for m in CRAM-MD5 PLAIN LOGIN; do
  ok "curl pop3 AUTH $m" curl_list $m secret-bob
  ok "curl pop3 AUTH $m, wrong password" no curl_list $m wrong
done
q_list() { echo "$2" | q fetch --ca "$ca" --starttls --auth "$1" --password-stdin --list "pop3://bob@example.org@localhost:$pop3"; }
for m in scram-sha-256-plus scram-sha-1-plus scram-sha-256 scram-sha-1 cram-md5 plain login user; do
  ok "qasid fetch $m" q_list $m secret-bob
  ok "qasid fetch $m, wrong password" no q_list $m wrong
done

# --- nothing named: our clients choose alike (mail/sasl/login.h) ---
q_chooses() { # NAME COMMAND…: the AUTH commands that were sent
  local name=$1
  shift
  echo "secret-$name" | cat - mail.txt 2>/dev/null | q "$@" --verbose --ca "$ca" --starttls --password-stdin 2>&1 | grep -ao 'AUTH [A-Z0-9-]* (' | tr -d '(\n'
}
send_as() { q_chooses "$1" send "smtp://$1@example.org@localhost:$submission" --from "$1@example.org" --to bob@example.org; }
list_as() { q_chooses "$1" fetch "pop3://$1@example.org@localhost:$pop3" --list; }
ok "qasid send takes the best" is "$(send_as alice)" "AUTH SCRAM-SHA-256-PLUS "
ok "qasid fetch likewise" is "$(list_as alice)" "AUTH SCRAM-SHA-256-PLUS "
ok "and for a server that has only a hash PLAIN after it: send" is "$(send_as plain)" "AUTH SCRAM-SHA-256-PLUS AUTH PLAIN "
ok "fetch" is "$(list_as plain)" "AUTH SCRAM-SHA-256-PLUS AUTH PLAIN "

# --- names and passwords beyond ASCII, composed here and decomposed there (RFC 8265, RFC 4013) ---
nfc=$'gr\xc3\xbc\xc3\x9f-7' nfd=$'gru\xcc\x88\xc3\x9f-7'
q account add $'J\xc3\xbcrgen@example.org' --scram --password-stdin <<<"$nfd" >/dev/null
ok "an account of that name in another spelling is refused" no q account add $'ju\xcc\x88rgen@example.org' --password-stdin <<<x
ok "also by capitals" no q account add $'J\xc3\x9cRGEN@example.org' --password-stdin <<<x
ok "and a name with what nobody can see" no q account add $'a\xe2\x80\x8b@example.org' --password-stdin <<<x
ok "which left nothing behind" no grep -q $'\xe2\x80\x8b' <(q account list)
ok "any spelling names it" q account quota $'JU\xcc\x88RGEN@example.org' 5M
export LC_ALL=C.UTF-8
gsasl_umlaut() { # MECHANISM NAME PASSWORD
  timeout 20 gsasl --smtp --connect "localhost:$submission" --x509-ca-file="$ca" --mechanism="$1" --hostname=localhost --service=smtp \
    --authentication-id="$2" --password="$3" --no-cb </dev/null
}
for m in SCRAM-SHA-256 SCRAM-SHA-1 PLAIN; do
  ok "gsasl $m, as typed" says '^235 ' gsasl_umlaut $m $'j\xc3\xbcrgen@example.org' "$nfc"
  ok "gsasl $m, decomposed" says '^235 ' gsasl_umlaut $m $'ju\xcc\x88rgen@example.org' "$nfd"
  ok "gsasl $m, another password" says '^535 ' gsasl_umlaut $m $'j\xc3\xbcrgen@example.org' gruss-7
done
umlaut_list() { echo "$3" | q fetch --ca "$ca" --starttls --auth "$1" --password-stdin --list "pop3://$2@localhost:$pop3"; }
for m in scram-sha-256-plus scram-sha-1 plain login user; do
  ok "qasid fetch $m, composed" umlaut_list $m j%C3%BCrgen%40example.org "$nfc"
  ok "qasid fetch $m, decomposed" umlaut_list $m ju%CC%88rgen%40example.org "$nfd"
  ok "qasid fetch $m, without the dots" no umlaut_list $m jurgen%40example.org "$nfc"
done
poplib_user() { # NAME PASSWORD: Python's, with USER and PASS
  python3 - "$pop3s" "$@" <<'EOS'
import poplib, ssl, sys
p = poplib.POP3_SSL("localhost", int(sys.argv[1]), context=ssl._create_unverified_context())
p.user(sys.argv[2]), p.pass_(sys.argv[3]), p.quit()
EOS
}
ok "poplib, USER and PASS" poplib_user $'j\xc3\xbcrgen@example.org' "$nfc"
ok "poplib, decomposed" poplib_user $'ju\xcc\x88rgen@example.org' "$nfd"
ok "curl pop3, PLAIN, decomposed" curl -sS --cacert "$ca" --ssl-reqd --user $'ju\xcc\x88rgen@example.org'":$nfd" --login-options "AUTH=PLAIN" "pop3://localhost:$pop3/"
ok "mpop scram-sha-256" mpop --host=localhost --port="$pop3" --tls=off --auth=scram-sha-256 --user=$'j\xc3\xbcrgen@example.org' --passwordeval="echo $nfd" \
  --delivery=maildir,box --uidls-file="$dir/uidls-umlaut" --keep=on
export LC_ALL=C

# --- an account without a recoverable password ---
plain_list() { echo secret-plain | q fetch --ca "$ca" --starttls --auth "$1" --password-stdin --list "pop3://plain@example.org@localhost:$pop3"; }
ok "an ordinary account logs in with PLAIN" plain_list plain
ok "and with no SCRAM" no plain_list scram-sha-256
ok "nor CRAM-MD5" no plain_list cram-md5
finish
