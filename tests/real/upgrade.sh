#!/bin/bash
# Data folders that earlier versions made (tests/fixtures/make-store) are opened by this one: every message is there octet
# for octet with its UIDL, what was deleted can be brought back, what is kept besides the mail still stands; what TOP,
# export, salvage and the sender give is what that version gave.
qasid_bin=$1
fixtures=$(dirname "$(readlink -f "$0")")/../fixtures
. "$(dirname "$0")/../lib.sh"
. "$fixtures/lines.sh"
begin
read -r elsewhere < <(free_ports 1)
option plaintext_networks '{ "127.0.0.0/8" }'
option undelete_time 365d
option routes "{ \"elsewhere.test 127.0.0.1:$elsewhere\" }"
option send_private_addresses yes
lines_of() { grep "^$1 " "$fixtures/$name.txt"; } # WORD
mail_lines() { grep -vE '^(undelete|top|queue|export|salvage) ' "$fixtures/$name.txt"; }
maildrops() { # [--top] ACCOUNT…
  local top=()
  [ "$1" != --top ] || { top=(--top); shift; }
  python3 "$fixtures/maildrops.py" "${top[@]}" "$pop3" "$@"
}
for store in "$fixtures"/store-*.tar.xz; do
  name=$(basename "$store" .tar.xz)
  serve # makes the folders, which belong to the users of this machine
  stop
  mv "$dir/data" "$dir/made"
  mkdir "$dir/data"
  tar -xJf "$store" -C "$dir/data" --no-same-owner
  for folder in "$dir/data" "$dir/data/store" "$dir/data/auth"; do
    chown -R --reference="$dir/made${folder#"$dir/data"}" "$folder"
  done
  rm -rf "$dir/made"
  if lines_of salvage >/dev/null; then
    q salvage "$dir/data" "$dir/salvage-$name" >/dev/null
    ok "$name: salvage of what that version left" is "$(file_lines salvage "$dir/salvage-$name")" "$(lines_of salvage)"
  fi
  # What was deleted then is kept for a time only, and that would pass.
  python3 -c 'import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1]); now = int(time.time()); c.execute("UPDATE deleted SET removed = ?", (now,))
if c.execute("SELECT count(*) FROM sqlite_master WHERE name = \"recipient\"").fetchone()[0]:
  c.execute("UPDATE recipient SET due = ?, expires = ?, state = 1", (now, now + 86400)); c.execute("UPDATE letter SET came = ?", (now,))
c.commit()' "$dir/data/store/database.sqlite"
  : >"$dir/log"
  serve
  ok "$name: every message, octet for octet" is "$(maildrops alice bob carol dave)" "$(mail_lines)"
  ok "$name: check" q check
  if lines_of top >/dev/null; then
    ok "$name: TOP" is "$(maildrops --top alice bob carol dave)" "$(lines_of top)"
    for account in alice bob carol dave; do q export "$account@example.org" "$dir/export-$name-$account" >/dev/null; done
    ok "$name: export" is "$(file_lines export "$dir/export-$name"-*)" "$(lines_of export)"
    ok "$name: the queue" is "$(queue_lines)" "$(lines_of queue)"
    python3 "$fixtures/sink.py" "$elsewhere" 3 >"$dir/sent" &
    sink=$!
    for ((i = 0; i < 300; i++)); do grep -q ready "$dir/sent" && break; sleep 0.1; done
    q queue release state=held >/dev/null
    for ((i = 0; i < 300; i++)); do kill -0 "$sink" 2>/dev/null || break; sleep 0.1; done
    kill "$sink" 2>/dev/null
    ok "$name: what is sent" is "$(grep ^queue "$dir/sent" | sort)" "$(lines_of queue)"
  fi
  ok "$name: deleted mail is brought back" q mail undelete dave@example.org --all
  sed -n 's/^undelete //p' "$fixtures/$name.txt" >"$dir/wanted"
  ok "$name: as it was" is "$(maildrops dave | grep -Ff <(awk '{print $2}' "$dir/wanted"))" "$(cat "$dir/wanted")"
  ok "$name: an imported UIDL that was used before is not given again" is "$(maildrops carol | grep -c old-uidl-2)" 0
  ok "$name: an alias" bash -c "'$qasid_bin' -c '$dir/qasid.conf' alias list | grep -q sales@example.org"
  ok "$name: a collection, still paused" bash -c "'$qasid_bin' -c '$dir/qasid.conf' account collect list | grep -q paused"
  printf 'Subject: new\r\n\r\nnew\r\n' |
    curl -sS --mail-from x@example.net --mail-rcpt sales@example.org --upload-file - "smtp://localhost:$smtp"
  ok "$name: new mail" is "$(count_of alice) $(count_of bob)" "7 3"
  ok "$name: a backup" q backup "$dir/backup-$name.tar"
  stop
  rm -rf "$dir/data"
  ok "$name: restored" q restore "$dir/backup-$name.tar"
  : >"$dir/log"
  serve
  ok "$name: the same mail again" is "$(maildrops alice bob carol | grep -Ff <(mail_lines | awk '{print $2}'))" "$(mail_lines | grep -v ^dave)"
  ok "$name: check after that" q check
  stop
  rm -rf "$dir/data"
done
finish
