#!/bin/bash
# The command line: what it refuses, what it prints, and the completion for bash.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
tree=$(readlink -f "$(dirname "$0")/../..")
begin
option plaintext_auth yes
add alice
serve
code() { local want=$1 got; shift; "$@" >"$dir/said" 2>"$dir/err" </dev/null; got=$?; [ "$got" = "$want" ] || { echo "code $got"; head -5 "$dir/said" "$dir/err"; return 1; }; }
err() { grep -qE "$1" "$dir/err" || { cat "$dir/err"; return 1; }; }
said() { grep -qE "$1" "$dir/said" || { cat "$dir/said"; return 1; }; }

ok "a second server is told that one runs" all "code 75 timeout 20 $qasid_bin -c $dir/qasid.conf serve" "err 'a server with this configuration is running already'"
ok "trace refuses what is no client" all "code 64 q trace NONSENSE" "err 'neither an IP address nor'"
ok "trace ends in its time" code 0 timeout 20 "$qasid_bin" -c "$dir/qasid.conf" trace 127.0.0.1 --for 1s
ok "a time that is none" code 64 q trace 127.0.0.1 --for soon
ok "--json where it means nothing" all "code 64 q --json account enable alice@example.org" "err 'json means nothing to account enable'"
ok "-c before the command: the error names the command" all "code 64 q account lst" "err 'did you mean \"account list\"'"
ok "an option that is none: the nearest" all "code 64 q queue list --acount x" "err '; did you mean --account\?$'"
ok "  none is near: where they are" all "code 64 q status --nonsense" "err '; .qasid help status. has them$'"
ok "an option that is given twice means neither" all "code 64 q queue drop --account alice@example.org --account=bob@example.org" "err '^qasid: --account is given twice'" "code 64 q -c a -c b status" "code 0 q status --check --ignore queue --ignore disk"
ok "help: the nearest" all "code 67 q help acount" "err 'did you mean \"account\"\?$'" "code 67 q help queue lst" "err 'did you mean \"queue list\"\?$'" "code 64 q help reload foo"
ok "domain add as JSON: what is to be published" json 'r["domain"] == "new.example" and [x["algorithm"] for x in r["records"]] == ["rsa", "ed25519"] and all(x["record"].startswith("v=DKIM1;") for x in r["records"])' < <(q --json domain add New.example)
ok "numbers are numbers in JSON" json '[(x["accounts"], x["aliases"]) for x in r if x["domain"] == "example.org"] == [(1, 0)]' < <(q --json domain list)
ok "  (each of them)" json 'all(type(x["index"]) is type(x["number"]) is int for x in r["processes"])' < <(q --json status)
ok "  (all that look like one)" json 'type(r[0]["first"]) is type(r[0]["most"]) is int' < <(q --json classify 452 4.2.2 full)
q account set alice@example.org quota 2g >/dev/null 2>&1
q account set alice@example.org expire 30d >/dev/null 2>&1
q account set alice@example.org login-delay 5m >/dev/null 2>&1
ok "limits are shown as they are typed" all "code 0 q account limits alice@example.org" "said '^quota +2G$'" "said '^login-delay +5m$'" "said '^expire +30d$'"
ok "  in the list of accounts too" all "code 0 q account list" "said '^alice@example.org .* 2G '"
ok "  as JSON, numbers" json 'r[0]["quota"] == 2 << 30' < <(q --json account list)
python3 - "$pop3" "$dir/open" <<'PY' &
import poplib, sys, time
p = poplib.POP3("127.0.0.1", int(sys.argv[1])); p.user("alice@example.org"); p.pass_("secret-alice"); open(sys.argv[2], "w"); time.sleep(60)
PY
holder=$!
for _ in $(seq 300); do [ -e "$dir/open" ] && break; sleep 0.1; done
ok "ps shows who is logged in, and who has the maildrop" json 'any(x["login"] == "alice@example.org" and x["maildrop"] == "locked" for x in r)' < <(q --json ps)
kill "$holder"
wait "$holder" 2>/dev/null
ok "help fits 80 columns" bash -c "$qasid_bin help | python3 -c 'import sys; sys.exit(any(len(x.rstrip()) > 80 for x in sys.stdin))'"
# What bash would offer behind these words.
offers() { # WANTED WORD…
  local wanted=$1
  shift
  # shellcheck disable=SC2016
  [[ " $(bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _qasid; echo "${COMPREPLY[*]}"' "$tree/packaging/qasid.bash-completion" "$@") " == *" $wanted "* ]]
}
ok "completion: commands, subcommands, options" all "offers account qasid acc" "offers list qasid account li" "offers run qasid -c x account collect ''" "offers --check qasid status --"
ok "  behind help" all "offers queue qasid help qu" "offers show qasid help queue ''" "offers completion qasid help ''" "offers list qasid help account collect ''"
ok "  none that is not there" no offers --check qasid ps --
# init on a full disk: what it could not finish is not in the way of the next one, and the words say what is full.
init_on() { # SIZE: exit codes of an init on a disk of that size, and of the next one with room
  # shellcheck disable=SC2016
  unshare -m bash -c 'mount -t tmpfs -o size="$1" none "$2" || exit; for i in 1 2; do
    "$0" init you@example.org --dir "$2/x" --ports high >/dev/null 2>>"$2.err"; echo $?; mount -o remount,size=50m "$2"; done' "$qasid_bin" "$1" "$dir/small" | xargs
}
mkdir "$dir/small"
if unshare -m mount -t tmpfs none "$dir/small" 2>/dev/null; then
  ok "init on a disk that is full at once" all "is '$(init_on 4k)' '74 0'" "grep -q 'No space left' $dir/small.err"
  ok "  later on" all "is '$(init_on 64k)' '69 73'" "grep -qi 'disk is full' $dir/small.err" "grep -q 'or completed: qasid -c .* domain add example.org, then account add you@example.org' $dir/small.err"
fi
stop
finish
