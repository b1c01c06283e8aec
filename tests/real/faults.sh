#!/bin/bash
# Disks that are full or damaged under the running server: tests/real/faults.py says what.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
begin
trap 'stop >/dev/null 2>&1; mountpoint -q "$dir/disk" && umount -l "$dir/disk"; rm -rf "$dir"' EXIT
export dir qasid_bin smtp submission submissions pop3 pop3s
mkdir "$dir/disk"
sed -i "s|^data_dir = .*|data_dir = \"$dir/disk/data\"|" "$dir/qasid.conf"
option store_free_space 4M
skipped=0
up() {
  : >"$dir/log"
  serve
  export server
}

# --- damaged pages ---
rm -rf "$dir/disk/data"
add alice bob
up
suite faults.py fill
ok "it stops cleanly" stop
cp -a "$dir/disk/data" "$dir/whole"
for table in body entry; do
  rm -rf "$dir/disk/data" && cp -a "$dir/whole" "$dir/disk/data"
  suite faults.py damage-$table
  up
  suite faults.py $table
  ok "it stops cleanly" stop
done

# --- a full disk ---
rm -rf "$dir/disk/data"
if mount -t tmpfs -o size=24m,mode=755 none "$dir/disk" 2>/dev/null; then
  add alice bob
  up
  suite faults.py full
  ok "it stops cleanly" stop
else
  echo "skipped: no file system can be mounted here"
  skipped=$((skipped + 1))
fi
[ "$skipped" -gt 0 ] && echo "0 passed, 0 failed, $skipped skipped"
finish
