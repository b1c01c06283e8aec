#!/bin/bash
# Access tokens: made by PyJWT, carried by curl (SMTP and POP3) and by our own client, verified by the real server.
qasid_bin=$(realpath "$1")
. "$(dirname "$0")/../lib.sh"
begin
cd "$dir"
for k in rsa "ec -pkeyopt ec_paramgen_curve:P-256" ed25519; do
  # shellcheck disable=SC2086
  openssl genpkey -algorithm $k -out "key-${k%% *}.pem" 2>/dev/null
done
jwks() { # KID-PREFIX: the key set of the three
  python3 - "$1" <<'EOF2'
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm, ECAlgorithm, OKPAlgorithm
keys = []
for name, alg in (("rsa", RSAAlgorithm), ("ec", ECAlgorithm), ("ed25519", OKPAlgorithm)):
    public = load_pem_private_key(open("key-%s.pem" % name, "rb").read(), None).public_key()
    key = alg.to_jwk(public)
    key = json.loads(key) if isinstance(key, str) else key
    keys.append(dict(key, kid=sys.argv[1] + name, key_ops=["verify"]))
print(json.dumps({"keys": keys}))
EOF2
}
token() { # ALG KEY KID NAME [SECONDS [AUDIENCE]]
  python3 - "$@" <<'EOF2'
import sys, time, jwt
alg, key, kid, name = sys.argv[1:5]
seconds = int(sys.argv[5]) if len(sys.argv) > 5 else 600
aud = sys.argv[6] if len(sys.argv) > 6 else ["web", "mail"]
more = {"groups": ["group-%04d" % i for i in range(int(sys.argv[7]))]} if len(sys.argv) > 7 else {}
print(jwt.encode(dict({"iss": "https://id.example.org", "aud": aud, "exp": int(time.time()) + seconds, "email": name}, **more),
                 open("key-%s.pem" % key, "rb").read(), algorithm=alg, headers={"kid": kid}))
EOF2
}
jwks a- >keys.json
option oauth_keys "\"$dir/keys.json\""
option oauth_issuer '"https://id.example.org"'
option oauth_audience '"mail"'
option auth_penalty_most 0
add alice bob
ok "check-config takes the key set" q check-config
serve
printf 'From: <alice@example.org>\r\nTo: <bob@example.org>\r\nSubject: tokens\r\n\r\nFirst line.\r\n' >mail.txt
ca=$dir/cert.pem
curl_send() { # MECHANISM TOKEN
  curl -sS --cacert "$ca" --ssl-reqd --mail-from alice@example.org --mail-rcpt bob@example.org --upload-file mail.txt \
    --user alice@example.org: --oauth2-bearer "$2" --login-options "AUTH=$1" "smtp://localhost:$submission/client.example.net"
}
curl_list() { # MECHANISM TOKEN [ARGUMENT…]
  curl -sS --cacert "$ca" --ssl-reqd --user alice@example.org: --oauth2-bearer "$2" --login-options "AUTH=$1" "${@:3}" "pop3://localhost:$pop3/"
}
good=$(token EdDSA ed25519 a-ed25519 alice@example.org)
for m in OAUTHBEARER XOAUTH2; do
  ok "curl submission $m" curl_send $m "$good"
  ok "curl pop3 $m" curl_list $m "$good"
  ok "curl pop3 $m with an initial response" curl_list $m "$good" --sasl-ir
  ok "curl submission $m, expired" no curl_send $m "$(token EdDSA ed25519 a-ed25519 alice@example.org -3600)"
  ok "curl pop3 $m, of somebody else" no curl_list $m "$(token EdDSA ed25519 a-ed25519 bob@example.org)"
done
ok "both messages arrived" is "$(count_of bob)" 2
for pair in RS256:rsa PS256:rsa ES256:ec; do
  ok "curl pop3, signed with ${pair%:*}" curl_list OAUTHBEARER "$(token "${pair%:*}" "${pair#*:}" "a-${pair#*:}" alice@example.org)"
  ok "curl pop3, ${pair%:*} for another service" no curl_list OAUTHBEARER "$(token "${pair%:*}" "${pair#*:}" "a-${pair#*:}" alice@example.org 600 web)"
done
large=$(token RS256 rsa a-rsa alice@example.org 600 mail 250) # 5 KB, as large issuers make them
ok "a token of ${#large} characters, SMTP" curl_send OAUTHBEARER "$large"
ok "POP3" curl_list OAUTHBEARER "$large"
ok "POP3, XOAUTH2 with an initial response" curl_list XOAUTH2 "$large" --sasl-ir
ok "RS512 is not taken" no curl_list OAUTHBEARER "$(token RS512 rsa a-rsa alice@example.org)"
ok "nor is no signature" no curl_list OAUTHBEARER "$(python3 -c 'import jwt,time; print(jwt.encode({"iss": "https://id.example.org", "aud": "mail", "exp": int(time.time()) + 600, "email": "alice@example.org"}, "", algorithm="none"))')x"
mkdir -p box/cur box/new box/tmp
sed 's/\r$//' mail.txt >mail.lf
mpop_() { # METHOD TOKEN
  mpop --host=localhost --port="$pop3" --tls=on --tls-starttls=on --tls-trust-file="$ca" --auth="$1" --user=bob@example.org \
    --passwordeval="echo $2" --delivery=maildir,box --uidls-file="uidls-$RANDOM$RANDOM" --keep=on
}
msmtp_() { # METHOD TOKEN
  msmtp --host=localhost --port="$submission" --tls=on --tls-starttls=on --tls-trust-file="$ca" --auth="$1" --user=alice@example.org \
    --passwordeval="echo $2" --from=alice@example.org bob@example.org <mail.lf
}
bobs=$(token RS256 rsa a-rsa bob@example.org)
for m in oauthbearer xoauth2; do
  ok "mpop $m" mpop_ $m "$bobs"
  ok "mpop $m, expired" no mpop_ $m "$(token RS256 rsa a-rsa bob@example.org -3600)"
  ok "msmtp $m" msmtp_ $m "$good"
  ok "msmtp $m, of somebody else" no msmtp_ $m "$bobs"
done
q_send() { # MECHANISM TOKEN
  (echo "$2" && cat mail.txt) | q send --ca "$ca" --starttls --auth "$1" --password-stdin --to bob@example.org "smtp://alice@example.org@localhost:$submission"
}
for m in oauthbearer xoauth2; do
  ok "qasid send $m" q_send $m "$good"
  ok "qasid send $m, changed" no q_send $m "${good%??????}AAAAAA"
done
q_fetch() { echo "$2" | q fetch --ca "$ca" --starttls --auth "$1" --password-stdin --list "pop3://alice@example.org@localhost:$pop3"; }
for m in oauthbearer xoauth2; do
  ok "qasid fetch $m" q_fetch $m "$good"
  ok "qasid fetch $m, changed" no q_fetch $m "${good%??????}AAAAAA"
done
refused_line() { wait_log "event=login-failed session=[^ ]* service=$1 client=[^ ]* name=$2 mechanism=$3 why=\"token refused: $4\""; }
ok "the log says why a token was refused, as of any login" refused_line submission 'alice@example\.org' OAUTHBEARER expired
ok "(whatever it is)" refused_line pop3 'alice@example\.org' XOAUTH2 'its signature is wrong'
ok "and has no token in it" no grep -q "${good:0:40}" log

# --- the issuer turns its keys ---
jwks b- >keys.json
q reload
wait_log 'event=reload msg=done' >/dev/null
ok "after a reload the new names of the keys count" curl_list OAUTHBEARER "$(token EdDSA ed25519 b-ed25519 alice@example.org)"
ok "the old ones don't" no curl_list OAUTHBEARER "$good"
echo '{"keys":[{"kty":"oct","k":"AAAA"}]}' >keys.json
ok "check-config says what is wrong with a key set" no q check-config
q reload
wait_log 'event=oauth-keys' >/dev/null
ok "with a bad key set the one before stays" curl_list OAUTHBEARER "$(token EdDSA ed25519 b-ed25519 alice@example.org)"
rm keys.json
q reload
ok "so it does when the file is gone, and the log says so" wait_log 'keys.json\\?"?: No such file'
ok "and" curl_list OAUTHBEARER "$(token EdDSA ed25519 b-ed25519 alice@example.org)"
finish
