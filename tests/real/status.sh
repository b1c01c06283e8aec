#!/bin/bash
# What check-config and status see before anybody complains: certificates near their end or for another name, a user
# that is not there, options set twice, full mailboxes, what waits to be sent; and `status --check` as a plugin.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
certificate() { # DAYS NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$1" -subj /CN=mx.example.org \
    -addext "subjectAltName=DNS:$2" -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
}
# shellcheck disable=SC2120
check() { q "$@" check-config >"$dir/said" 2>&1; }
said() { grep -qE "$1" "$dir/said"; }
warns() { check && said "warning: .*$1"; }

# --- check-config ---
ok "a good configuration is ok, without a warning" all check 'no said warning'
certificate 10 mx.example.org
ok "a certificate that ends soon is a warning with the days" warns 'cert.pem" expires on 20..-..-.., in (9|10) days'
certificate 90 other.example.org
ok "so is one for another name" warns 'none of them is for mx.example.org'
certificate 90 '*.example.org'
ok "a wildcard covers the name" all check 'no said warning'
openssl x509 -in "$dir/cert.pem" -signkey "$dir/key.pem" -days -1 -out "$dir/old.pem" 2>/dev/null && mv "$dir/old.pem" "$dir/cert.pem"
ok "an expired one is a warning: a restart must not end the service" warns 'cert.pem" expired on 20..-..-..; clients refuse it'
ok "as JSON too" all "check --json" "json 'r[0][\"severity\"] == \"warning\" and r[0][\"option\"] == \"tls_certificates\"' <$dir/said"
certificate 90 mx.example.org
option user '"nobody-knows-me"'
ok "a user that is not there" warns 'user "nobody-knows-me"'
cp "$dir/qasid.conf" "$dir/good.conf"
option plaintext_networks '{ "192.0.2.1" }'
option plaintext_networks '{ "192.0.2.2" }'
ok "a list that is set twice is a mistake" bash -c "$qasid_bin -c $dir/qasid.conf check-config 2>&1 | grep -q 'plaintext_networks: is set a second time' && ! $qasid_bin -c $dir/qasid.conf check-config 2>/dev/null"
ok "as JSON too" all "no check --json" "json 'r[0][\"severity\"] == \"mistake\" and \"second time\" in r[0][\"what\"]' <$dir/said"
grep -v nobody-knows "$dir/good.conf" >"$dir/qasid.conf"

# --- status ---
nagios() { # CODE PATTERN [OPTION…]
  local code=$1 pattern=$2 got
  shift 2
  q status --check "$@" >"$dir/said" 2>"$dir/err"
  got=$?
  [ "$got" = "$code" ] && [ "$(wc -l <"$dir/said")" = 1 ] && said "$pattern" && return
  echo "code $got: $(cat "$dir/said" "$dir/err")"
  return 1
}
option quota 10K
option retry_first 1h
option routes '{ "* 127.0.0.1:1" }' # where nobody listens
ok "without a server it is critical" nagios 2 '^QASID CRITICAL - the server does not answer'
add alice bob
serve
ok "all is well" nagios 0 '^QASID OK - [0-9]+ of [0-9]+ processes ready, certificate for (89|90) days, [0-9]+ MB free, 0 in the queue \| certificate_days=(89|90);21:;7: disk_free=[0-9]+B;[0-9]+:;[0-9]+: mailboxes_near_quota=0;0 queue_waiting=0 queue_held=0$'
mail() { # SIZE
  python3 - "$smtp" "$1" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
s.sendmail("a@example.com", ["alice@example.org"], "Subject: x\r\n\r\n" + ("x" * 70 + "\r\n") * (int(sys.argv[2]) // 72))
PY
}
mail 9300
ok "a mailbox near its quota is a warning" nagios 1 '^QASID WARNING - 1 mailbox near the quota, 0 full \(alice@example.org has 9[0-9]%\)'
ok "that can be left out" nagios 0 '^QASID OK' --ignore mailboxes
ok "status names it" bash -c "$qasid_bin -c $dir/qasid.conf status | grep -qE '^alice@example.org +1 +9[0-9]+ +10K +9[0-9]$'"
q --json status >"$dir/status.json"
status_is() { json "$1" <"$dir/status.json"; }
ok "as JSON: percent as a number" status_is 'r["mailboxes"][0]["percent"] >= 90'
ok "the certificate in use, its end and its names" status_is 'r["certificates"][0]["names"] == "mx.example.org" and r["certificates"][0]["for-hostname"] == "yes" and int(r["certificates"][0]["days"]) >= 89'
ok "free space" status_is '[x["number"] for x in r["store"] if x["what"] == "disk-free"][0] > 0'
ok "the sender, with a port that nobody blocks" status_is '[(x["counter"], x["value"]) for x in r["sender"] if x["counter"] in ("letters", "port-blocked")] == [("letters", 0), ("port-blocked", 0)]'
ok "the queue by states" status_is '[(x["state"], x["recipients"]) for x in r["queue"]] == [("waiting", 0), ("held", 0)]'
q send "smtp://alice%40example.org@127.0.0.1:$submission" --ca "$dir/cert.pem" --insecure --to a@nowhere.invalid --to b@nowhere.invalid --subject x --password-stdin \
  < <(echo "secret-alice"; echo text) >/dev/null 2>&1
for _ in $(seq 100); do q --json queue list | json 'len(r) == 2 and all(x["tries"] for x in r)' >/dev/null && break; sleep 0.3; done
q queue hold to=b@nowhere.invalid >/dev/null 2>&1
q --json status >"$dir/status.json"
ok "what waits and what is held is counted" status_is '[(x["state"], x["recipients"], x["messages"]) for x in r["queue"]] == [("waiting", 1, 1), ("held", 1, 1)]'
ok "  and when it is due" status_is '"2026" <= r["queue"][0]["since"] < r["queue"][0]["due"] and r["queue"][1]["due"] == ""'
ok "what is held: whose, why, since when, and what to do" status_is '[(x["account"], x["reason"], x["recipients"], x["messages"], x["select"]) for x in r["held"]] == [("alice@example.org", "held", 1, 1, "account=alice@example.org reason=held")] and r["held"][0]["since"] >= "2026"'
held_words() { q --json status | python3 -c 'import json, sys; print(json.load(sys.stdin)["held"][0]["select"])'; }
# shellcheck disable=SC2046
ok "  those words select it" eval 'q queue list $(held_words) | grep -q held && q queue release $(held_words) 2>&1 | grep -q "1 recipient released" && q queue hold to=b@nowhere.invalid >/dev/null'
certificate 3 mx.example.org
ok "a new certificate on the disk is not yet in use" nagios 0 'certificate for (89|90) days' --ignore mailboxes
q reload >/dev/null 2>&1
ok "after a reload it is: critical within a week" nagios 2 '^QASID CRITICAL - certificate .*cert.pem expires in [23] days' --ignore mailboxes
ok "as JSON" bash -c "$qasid_bin -c $dir/qasid.conf --json status --check >$dir/status.json; [ \$? = 2 ]"
ok "  with the state and each finding" status_is 'r["state"] == "CRITICAL" and r["code"] == 2 and {f["about"] for f in r["findings"]} == {"certificates", "mailboxes"}'
certificate 90 mx.example.org
q reload >/dev/null 2>&1
echo 'store_free_space = 1T' >>"$dir/qasid.conf"
q reload >/dev/null 2>&1
ok "a full disk is critical" nagios 2 'the disk is full \([0-9]+ MB free\): no mail is accepted' --ignore mailboxes
ok "what --ignore does not know is refused" bash -c "$qasid_bin -c $dir/qasid.conf status --check --ignore nonsense 2>/dev/null; [ \$? = 64 ]"
stop
finish
