#!/bin/bash
# Data folders that earlier versions made (tests/fixtures/make-store) are opened by this one: every message is there octet
# for octet with its UIDL, what was deleted can be brought back, what is kept besides the mail still stands.
qasid_bin=$1
fixtures=$(dirname "$(readlink -f "$0")")/../fixtures
. "$(dirname "$0")/../lib.sh"
begin
option plaintext_networks '{ "127.0.0.0/8" }'
option undelete_time 365d
maildrops() { python3 "$fixtures/maildrops.py" "$pop3" "$@"; }
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
  # What was deleted then is kept for a time only, and that would pass.
  python3 -c 'import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1]); c.execute("UPDATE deleted SET removed = ?", (int(time.time()),)); c.commit()' "$dir/data/store/database.sqlite"
  : >"$dir/log"
  serve
  grep -v '^undelete' "$fixtures/$name.txt" >"$dir/wanted"
  ok "$name: every message, octet for octet" is "$(maildrops alice bob carol dave)" "$(cat "$dir/wanted")"
  ok "$name: check" q check
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
  ok "$name: the same mail again" is "$(maildrops alice bob carol | grep -Ff <(awk '{print $2}' "$fixtures/$name.txt"))" "$(grep -v '^undelete' "$fixtures/$name.txt" | grep -v ^dave)"
  ok "$name: check after that" q check
  stop
  rm -rf "$dir/data"
done
finish
