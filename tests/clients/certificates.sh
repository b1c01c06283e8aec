#!/bin/bash
# EXTERNAL: client certificates, shown by curl, by openssl s_client and by our own client.
qasid_bin=$(realpath "$1")
. "$(dirname "$0")/../lib.sh"
begin
cd "$dir"
certificate() { # NAME DAYS ALGORITHM…
  openssl req -x509 -newkey "${@:3}" -nodes -days "$2" -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
certificate alice 30 rsa:2048
certificate bob 30 ec -pkeyopt ec_paramgen_curve:P-256
certificate stranger 30 ed25519
# One that has expired: OpenSSL's req has no way to say so, its ca has.
certificate late 30 ec -pkeyopt ec_paramgen_curve:P-256
openssl req -new -key late.key -subj /CN=late -out late.csr 2>/dev/null
mkdir ca && touch ca/index && echo 01 >ca/serial
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=ca/index\nserial=ca/serial\nnew_certs_dir=ca\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' >ca.cnf
openssl ca -config ca.cnf -batch -selfsign -keyfile late.key -in late.csr -out late.pem -notext -startdate 20200101000000Z -enddate 20200201000000Z >/dev/null 2>&1
option client_certificates yes
option auth_penalty_most 0
add alice bob
q account add carol@example.org --password-stdin <<<secret-carol >/dev/null
ok "a certificate is registered by its file" q account certificate add alice@example.org alice.pem
ok "by its fingerprint" q account certificate add bob@example.org "$(openssl x509 -in bob.pem -noout -fingerprint -sha256 | cut -d= -f2)"
ok "an expired one, too" q account certificate add carol@example.org late.pem
ok "not twice" no q account certificate add carol@example.org bob.pem
ok "not what is none" no q account certificate add carol@example.org alice.key
ok "and is listed" is "$(q account certificate list alice@example.org | tail -1 | awk '{print $2}')" \
  "$(openssl x509 -in alice.pem -outform DER | sha256sum | cut -d' ' -f1)"
serve
ca=$dir/cert.pem
printf 'From: <alice@example.org>\r\nTo: <bob@example.org>\r\nSubject: certificates\r\n\r\nFirst line.\r\n' >mail.txt
curl_list() { # CERTIFICATE USER [ARGUMENT…]
  curl -sS --cacert "$ca" --ssl-reqd --cert "$1.pem" --key "$1.key" --user "$2:" --login-options AUTH=EXTERNAL "${@:3}" "pop3://localhost:$pop3/"
}
curl_send() { # CERTIFICATE USER
  curl -sS --cacert "$ca" --ssl-reqd --cert "$1.pem" --key "$1.key" --user "$2:" --login-options AUTH=EXTERNAL \
    --mail-from "$2" --mail-rcpt bob@example.org --upload-file mail.txt "smtp://localhost:$submission/client.example.net"
}
for version in 1.2 1.3; do
  ok "curl pop3 EXTERNAL, TLS $version" curl_list alice alice@example.org --tls-max $version
  ok "with an initial response" curl_list bob bob@example.org --tls-max $version --sasl-ir
  ok "not as somebody else" no curl_list alice bob@example.org --tls-max $version
  ok "not with a certificate nobody knows" no curl_list stranger alice@example.org --tls-max $version
  ok "nor with an expired one" no curl_list late carol@example.org --tls-max $version
done
ok "curl submission EXTERNAL" curl_send alice alice@example.org
ok "not as somebody else" no curl_send alice bob@example.org
ok "a certificate does not keep from a password" curl -sS --cacert "$ca" --ssl-reqd --cert stranger.pem --key stranger.key --user alice@example.org:secret-alice "pop3://localhost:$pop3/"
capa() { # ARGUMENT…: what a session on pop3s announces
  printf 'CAPA\r\nQUIT\r\n' | timeout 20 openssl s_client -quiet -connect "127.0.0.1:$pop3s" -CAfile "$ca" "$@" 2>/dev/null
}
mkdir -p box/cur box/new box/tmp
mpop_() { # CERTIFICATE USER
  mpop --host=localhost --port="$pop3" --tls=on --tls-starttls=on --tls-trust-file="$ca" --tls-cert-file="$1.pem" --tls-key-file="$1.key" \
    --auth=external --user="$2" --delivery=maildir,box --uidls-file="uidls-$RANDOM$RANDOM" --keep=on
}
ok "mpop EXTERNAL" mpop_ bob bob@example.org
ok "not as somebody else" no mpop_ bob alice@example.org
ok "not with an expired one" no mpop_ late carol@example.org
announces() { capa "$@" | grep -q 'SASL.* EXTERNAL'; }
for version in -tls1_2 -tls1_3; do
  ok "EXTERNAL is announced to who shows a certificate ($version)" announces $version -cert alice.pem -key alice.key
  ok "not to who shows none" no announces $version
  ok "nor for an expired one" no announces $version -cert late.pem -key late.key
done
in_the_clear() { # what is announced there
  exec 3<>"/dev/tcp/127.0.0.1/$pop3"
  printf 'CAPA\r\nQUIT\r\n' >&3
  timeout 10 cat <&3
  exec 3>&-
}
ok "something is announced in the clear" grep -q '^SASL\|^STLS' <(in_the_clear)
ok "but not EXTERNAL" no grep -q EXTERNAL <(in_the_clear)
q_send() { # CERTIFICATE NAME [ARGUMENT…]
  q send --ca "$ca" --starttls --auth external --client-cert "$1.pem" --client-key "$1.key" "${@:3}" --to bob@example.org "smtp://$2@localhost:$submission" <mail.txt
}
ok "qasid send external" q_send alice alice@example.org
ok "not with another's" no q_send bob alice@example.org
cat alice.key alice.pem >both.pem
ok "with certificate and key in one file" q send --ca "$ca" --starttls --auth external --client-cert both.pem --to bob@example.org "smtp://alice@example.org@localhost:$submission" mail.txt
q_fetch() { # CERTIFICATE NAME
  q fetch --ca "$ca" --starttls --auth external --client-cert "$1.pem" --client-key "$1.key" --list "pop3://$2@localhost:$pop3" </dev/null
}
ok "qasid fetch external" q_fetch bob bob@example.org
ok "not with another's" no q_fetch bob alice@example.org
ok "each of 3 messages is in the mailbox" is "$(count_of bob)" 3
q account certificate delete alice@example.org alice.pem
ok "what was taken back opens nothing" no curl_list alice alice@example.org
sed -i 's/^client_certificates = yes/client_certificates = no/' qasid.conf
q reload && wait_log 'event=reload msg=done'
ok "switched off, it is announced no more" no announces -tls1_3 -cert bob.pem -key bob.key
ok "and not taken" no curl_list bob bob@example.org
finish
