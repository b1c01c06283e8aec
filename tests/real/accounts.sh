#!/bin/bash
# Accounts in bulk: import from CSV in all or nothing, passwords and deletions from a file, renaming, and single messages.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
option plaintext_auth yes
option quota 1G
add alice bob
serve
code() { local want=$1 got; shift; "$@" >"$dir/said" 2>"$dir/err" </dev/null; got=$?; [ "$got" = "$want" ] || { echo "code $got"; head -5 "$dir/said" "$dir/err"; return 1; }; }
err() { grep -qE "$1" "$dir/err" || { cat "$dir/err"; return 1; }; }
accounts() { q --json account list | json "$1"; }
logs_in() { # NAME PASSWORD
  python3 -c 'import poplib,sys; p = poplib.POP3("127.0.0.1", int(sys.argv[1])); p.user(sys.argv[2]); p.pass_(sys.argv[3]); p.quit()' "$pop3" "$1@example.org" "$2"
}
mail() { python3 -c 'import smtplib,sys; smtplib.SMTP("127.0.0.1", int(sys.argv[1])).sendmail("a@example.com", sys.argv[3:], "Subject: %s\r\n\r\ntext\r\n" % sys.argv[2])' "$smtp" "$@"; }

# --- import: what is wrong ---
hash=$(openssl passwd -6 -salt abcdefgh right)
{
  printf '\xef\xbb\xbfAddress,password,hash,quota,aliases\r\n'
  printf 'carol@example.org,,%s,,\r\n' "$hash"
  printf 'alice@example.org,x,,,\r\n'
  printf 'dave@elsewhere.org,x,,,\r\n'
  printf 'erin@example.org,,,,\r\n'
  printf 'frank@example.org,x,%s,,\r\n' "$hash"
  printf 'grace@example.org,,%s,,\r\n' "${hash%??}"
  printf '"heidi@example.org","a ""quoted""\npassword",,lots,\r\n'
  printf 'ivan@example.org,x,,,bob@example.org\r\n'
  printf 'CAROL@example.org,x,,,\r\n'
} >"$dir/bad.csv"
ok "a file with mistakes changes nothing" code 65 q account import "$dir/bad.csv"
ok "  the first pass says every line: no password, two secrets, half a hash, twice" all "err 'bad.csv:5: has no password'" "err 'bad.csv:6: has a password and a hash'" "err 'bad.csv:7: that hash is not'" "err 'bad.csv:11: CAROL@example.org is in line 2 already'"
ok "  so do auth and store" all "err 'bad.csv:3: there is such an account already'" "err 'bad.csv:4: elsewhere.org is not a domain of this server'" "err 'bad.csv:8: lots is not a valid quota'" "err 'bad.csv:10: the alias bob@example.org is an account'"
ok "  as JSON, with lines" all "code 65 q --json account import $dir/bad.csv" "json '{x[\"line\"] for x in r} == {3, 4, 5, 6, 7, 8, 10, 11}' <$dir/said"
ok "  nobody was added" accounts 'len(r) == 2'
ok "a file without a header is refused" bash -c "echo x@example.org,y | $qasid_bin -c $dir/qasid.conf account import - 2>&1 | grep -q 'address is not among them'"

# --- import: passwords ---
printf 'address,password\np1@example.org,generate\np2@example.org, of spaces \n' >"$dir/made.csv"
ok "passwords are made and printed" all "code 0 q account import $dir/made.csv" "grep -qE '^p1@example.org,.{20}\$' $dir/said"
ok "  and they work" logs_in p1 "$(sed -n 's/^p1@example.org,//p' "$dir/said")"
ok "  spaces in a given one are its own" logs_in p2 " of spaces "
ok "a domain's accounts alone" all "q domain add example.net" "code 0 q --json account list example.net" "json 'r == []' <$dir/said" "code 67 q account list example.com"

# --- passwords ---
printf 'address,password\nalice@example.org,new-alice\nnobody@example.org,x\n' >"$dir/pass.csv"
ok "one unknown name, no password is changed" all "code 65 q account passwd --from $dir/pass.csv" "err 'pass.csv:3: there is no such account'" "logs_in alice secret-alice"
sed -i '$d' "$dir/pass.csv"
ok "--json is refused where nothing is printed" all "code 64 q --json account passwd alice@example.org --password-stdin" "err '^qasid: --json means nothing to account passwd without --from'"
ok "dkim rotate has JSON: the next keys, not yet in DNS" all "code 75 q --json dkim rotate example.org" "json '{x[\"state\"] for x in r} == {\"current\", \"next\"} and all(x[\"record\"] for x in r)' <$dir/said"
ok "and when they sign" all "code 0 q --json dkim rotate example.org --confirmed" "json '{x[\"state\"] for x in r} == {\"current\", \"old\"}' <$dir/said"
ok "dkim list has ISO times" all "code 0 q dkim list" "grep -qE ' 20[0-9]{2}-[0-9-]+T[0-9:]+Z' $dir/said"
ok "passwords from a file" all "code 0 q account passwd --from $dir/pass.csv" "logs_in alice new-alice"

# --- rename ---
q alias add list@example.org bob@example.org alice@example.org >/dev/null 2>&1
mail one bob@example.org
uidl=$(q --json mail list bob@example.org | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["uidl"])')
q account forward bob@example.org alice@example.org --keep >/dev/null 2>&1
ok "onto an account that is there" code 73 q account rename bob@example.org alice@example.org
ok "onto an alias that is there" code 73 q account rename bob@example.org list@example.org
ok "into a domain that is not ours" code 67 q account rename bob@example.org bob@example.com
ok "renamed" code 0 q account rename bob@example.org robert@example.net --alias
ok "  the password stays" python3 -c 'import poplib,sys; p = poplib.POP3("127.0.0.1", int(sys.argv[1])); p.user("robert@example.net"); p.pass_("secret-bob"); p.quit()' "$pop3"
ok "  so does what is sealed for it: APOP" python3 -c 'import poplib,sys; p = poplib.POP3("127.0.0.1", int(sys.argv[1])); p.apop("robert@example.net", "secret-bob"); p.quit()' "$pop3"
ok "  where it is forwarded to, too" json '{x["target"] for x in r} == {"alice@example.org", "its own mailbox"}' < <(q --json account forward robert@example.net)
ok "  the old name is none" no logs_in bob secret-bob
mail two bob@example.org
mail three list@example.org
ok "  mail for the old address and for lists comes in" json "[x['uidl'] for x in r][0] == '$uidl' and len(r) == 3" < <(q --json mail list robert@example.net)

# --- single messages ---
ok "a message is shown" all "code 0 q mail show robert@example.net 2" "grep -q '^Subject: two' $dir/said"
ok "one that is not there" code 67 q mail show robert@example.net 99
ok "none is deleted when one is not there" all "code 67 q mail delete robert@example.net 2 99" "[ \$(q --json mail list robert@example.net | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))') = 3 ]"
ok "a message is deleted" all "code 0 q mail delete robert@example.net 2" "json '[x[\"uid\"] for x in r] == [1, 3]' < <(q --json mail list robert@example.net)"
python3 - "$pop3" "$dir/open" <<'PY' &
import poplib, sys, time
p = poplib.POP3("127.0.0.1", int(sys.argv[1])); p.user("robert@example.net"); p.pass_("secret-bob"); open(sys.argv[2], "w"); time.sleep(60)
PY
holder=$!
for _ in $(seq 300); do [ -e "$dir/open" ] && break; sleep 0.1; done
ok "not while a client has the maildrop open" all "code 75 q mail delete robert@example.net 3" "err 'open in a POP3 session'"
kill "$holder"; wait "$holder" 2>/dev/null
ok "check finds nothing" q check

# --- deletions ---
ok "a deletion says what lists lost" all "code 0 q --json account delete robert@example.net --yes" "json '{(x[\"alias\"], x[\"became\"]) for x in r} == {(\"list@example.org\", \"lost\"), (\"bob@example.org\", \"deleted\")}' <$dir/said"
printf 'p1@example.org\nnobody@example.org\n' >"$dir/gone"
ok "one unknown name, none is deleted" all "code 65 q account delete --yes --from $dir/gone" "err 'gone:2: there is no account nobody@example.org'" "logs_in p2 ' of spaces '"
printf 'p1@example.org\np2@example.org\n' >"$dir/gone"
ok "deleted from a file" all "code 0 q account delete --yes --from $dir/gone" "err '^2 accounts deleted'" "accounts 'not any(x[\"address\"].startswith(\"p\") for x in r)'"
ok "neither an address nor a file" code 64 q account delete --yes
# --- import: 5,000 ---
python3 - "$hash" "$dir" <<'PY'
import sys
with open(sys.argv[2] + "/many.csv", "w") as f:
    f.write("address;hash;quota;aliases\n")
    for i in range(5000): f.write("u%d@example.org;%s;%s;%s\n" % (i, sys.argv[1], "2G" if i % 2 else "", "all@example.org v%d@example.org" % i if i < 10 else ""))
PY
ok "a dry run looks at 5,000 and adds none" all "code 0 q account import --dry-run $dir/many.csv" "err '^5000 accounts would be added'" "accounts 'len(r) == 1'"
begin_ns=$(date +%s%N)
ok "5,000 accounts with hashes" all "code 0 q account import $dir/many.csv" "err '^5000 accounts added'"
ms=$((($(date +%s%N) - begin_ns) / 1000000))
echo "5,000 accounts in $ms ms"
ok "  with their quotas" accounts 'len(r) == 5001 and {x["quota"] for x in r if x["address"] in ("u1@example.org", "u2@example.org")} == {2 << 30, "default"}'
ok "  they log in" logs_in u4999 right
ok "  and their aliases are theirs" bash -c "$qasid_bin -c $dir/qasid.conf --json alias list example.org | python3 -c 'import json,sys; r = json.load(sys.stdin); sys.exit(sum(x[\"alias\"] == \"all@example.org\" for x in r) != 10)'"
ok "the same again: all are there, none is changed" all "code 65 q account import $dir/many.csv" "err '5000 mistakes'"
printf 'address,hash,quota\nu9@nowhere.example,%s,\nnew1@example.org,half,\nbad name@example.org,%s,\nu1@example.org,%s,much\n' "$hash" "$hash" "$hash" >"$dir/mixed.csv"
ok "each mistake is told once, in the order of lines" all "code 65 q account import $dir/mixed.csv" "err '4 mistakes'" \
  "test \"\$(grep -oE 'mixed.csv:[0-9]+' $dir/err | tr '\n' ' ')\" = 'mixed.csv:2 mixed.csv:3 mixed.csv:4 mixed.csv:5 '"

# --- delete: 5,000, of which one has much mail and another an alias that two share ---
seq -f 'u%.0f@example.org' 0 4999 >"$dir/gone"
begin_ns=$(date +%s%N)
ok "5,000 accounts are deleted" all "code 0 q account delete --yes --from $dir/gone" "err '^5000 accounts deleted'" "accounts 'len(r) == 1'"
ms=$((($(date +%s%N) - begin_ns) / 1000000))
echo "5,000 accounts deleted in $ms ms"
ok "  and their logins" bash -c "! $qasid_bin -c $dir/qasid.conf account list | grep -q '^u1@'"
ok "  and aliases that led to them only" bash -c "$qasid_bin -c $dir/qasid.conf --json alias list example.org | python3 -c 'import json,sys; r = json.load(sys.stdin); sys.exit(any(x[\"target\"].startswith(\"u\") for x in r))'"
ok "  check finds nothing" q check
stop
finish
