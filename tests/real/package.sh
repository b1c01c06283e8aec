#!/bin/bash
# The Debian package: it is built, lintian finds nothing, systemd-sysusers takes the users, and dpkg installs, upgrades,
# removes and purges it in a root of its own (an overlay on this one, in a mount namespace), where a systemctl that writes
# down what it is asked shows what the maintainer scripts do to a server that runs.
qasid_bin=$1
tree=$(readlink -f "$(dirname "$0")/../..")
. "$(dirname "$0")/../lib.sh"

missing=
for tool in dpkg-buildpackage dh lintian systemd-sysusers unshare; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
[ "$(id -u)" = 0 ] || missing="$missing root"
if [ -n "$missing" ]; then
  echo "not here:$missing"
  echo "package: 0 passed, 0 failed, 1 skipped"
  exit 0
fi

dir=$(mktemp -d /tmp/qasid-package.XXXXXX)
trap 'rm -rf "$dir"' EXIT

# --- make install, make uninstall ---
cd "$tree" || exit 1
make -s install DESTDIR="$dir/installed" PREFIX=/usr >"$dir/install.log" 2>&1
for f in bin/qasid lib/systemd/system/qasid.service lib/sysusers.d/qasid.conf share/man/man1/qasid.1 share/man/man5/qasid.conf.5 share/man/man5/qasid-log.5 share/doc/qasid/packaging/fail2ban-filter.conf; do
  ok "make install: $f" test -s "$dir/installed/usr/$f"
done
for f in $(grep -oh 'docs/[a-z0-9-]*\.md' docs/man/*.[15] README.md | sort -u); do
  ok "make install: $f, which a page names" test -s "$dir/installed/usr/share/doc/qasid/$f"
done
make -s uninstall DESTDIR="$dir/installed" PREFIX=/usr >/dev/null 2>&1
ok "make uninstall leaves nothing" is "$(find "$dir/installed" -type f | wc -l)" 0

# --- users ---
mkdir -p "$dir/users/etc" "$dir/users/usr/lib/sysusers.d"
cp packaging/qasid.sysusers "$dir/users/usr/lib/sysusers.d/qasid.conf"
ok "systemd-sysusers takes the file" is "$(systemd-sysusers --root="$dir/users" qasid.conf 2>&1 | grep -v '^Creating' | grep -c .)" 0
for user in $(awk '$1 == "u" { print $2 }' packaging/qasid.sysusers); do
  ok "systemd-sysusers makes $user" grep -q "^$user:" "$dir/users/etc/passwd"
done

# --- the package ---
# With the objects of this tree (-nc: not cleaned away first), where they are of today.
mkdir "$dir/qasid"
{ git ls-files -c -o --exclude-standard && [ -d build/release ] && echo build/release; } |
  tar -cf - -T - | tar -xf - -C "$dir/qasid"
ln -s packaging/debian "$dir/qasid/debian"
build() { (cd "$dir/qasid" && dpkg-buildpackage -b -nc -us -uc) >"$dir/build.log" 2>&1; }
ok "the package is built" build
deb=$(echo "$dir"/qasid_*.deb)
[ -e "$deb" ] || tail -20 "$dir/build.log"
ok "lintian" is "$(lintian --allow-root "$dir"/qasid_*.changes 2>&1)" ""

# --- its life in a root of its own ---
if ! unshare -m true 2>/dev/null; then
  echo "skipped: no mount namespace can be made here"
  finish
fi
cat >"$dir/life" <<'EOF'
set -e
mount -t tmpfs none "$1/root"
mkdir "$1/root/upper" "$1/root/work" "$1/root/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/root/upper,workdir=$1/root/work" "$1/root/all"
r=$1/root/all
cp "$1"/qasid_*.deb "$r/root/qasid.deb"
mkdir -p "$r/run/systemd/system" "$r/etc/qasid"
echo mine >"$r/etc/qasid/qasid.conf"
rm -f "$r/usr/sbin/policy-rc.d"
# Every unit runs and is enabled.
cat >"$r/usr/bin/systemctl" <<'EOS'
#!/bin/sh
echo "$*" >>/systemctl.log
case "$*" in *is-enabled*) echo enabled ;; *LoadState*) echo LoadState=loaded ;; esac
exit 0
EOS
chmod 755 "$r/usr/bin/systemctl"
dir=$1
step() { # NAME COMMAND…: what systemctl is asked meanwhile goes to NAME
  name=$1; shift
  : >"$r/systemctl.log"
  chroot "$r" env DEBIAN_FRONTEND=noninteractive "$@" >>"$dir/dpkg.log" 2>&1 || echo "$name: $*" >>"$dir/failed"
  cp "$r/systemctl.log" "$dir/$name"
}
# There is but one mail-transport-agent: what this machine has goes first.
for p in $(dpkg-query -W -f='${db:Status-Status} ${Package} ${Provides}\n' | awk '$1 == "installed" && /mail-transport-agent/ && $2 != "qasid" {print $2}'); do
  step other dpkg -r --force-depends "$p"
done
step install dpkg -i --force-depends /root/qasid.deb
grep '^qasid' "$r/etc/passwd" >"$dir/passwd" || :
ls "$r"/etc/systemd/system/*/qasid.service >"$dir/enabled" 2>/dev/null || :
chroot "$r" qasid --help >"$dir/help" 2>&1 || echo "help" >>"$dir/failed"
for f in /usr/sbin/sendmail /usr/lib/sendmail /usr/bin/mailq /usr/bin/newaliases; do chroot "$r" readlink -f "$f"; done >"$dir/links"
chroot "$r" env QASID_CONF=/nowhere/qasid.conf sendmail root@example.org </dev/null >"$dir/sendmail" 2>&1 && echo "sendmail took mail without a server" >>"$dir/failed"
step upgrade dpkg -i --force-depends /root/qasid.deb
step remove dpkg -r qasid
step purge dpkg -P qasid
cat "$r/etc/qasid/qasid.conf" >"$dir/kept"
chroot "$r" dpkg -L qasid >"$dir/left" 2>/dev/null || :
EOF
mkdir "$dir/root"
unshare -m --propagation private bash "$dir/life" "$dir" >"$dir/life.log" 2>&1 || tail -5 "$dir/life.log" "$dir/dpkg.log"
says() { grep -qE "(^| )$2( .*)? qasid\.service" "$dir/$1"; }
says_not() { ! says "$@"; }
ok "dpkg installs, upgrades, removes, purges" bash -c "test -e '$dir/purge' && ! test -e '$dir/failed'"
ok "users of their own after dpkg -i" is "$(wc -l <"$dir/passwd")" "$(grep -c '^u' packaging/qasid.sysusers)"
ok "it is a mail-transport-agent, and there is but one" is "$(for f in Provides Conflicts Replaces; do dpkg-deb -f "$deb" "$f"; done | sort -u)" mail-transport-agent
ok "sendmail, mailq and newaliases are this program" is "$(sort -u "$dir/links")" /usr/bin/qasid
ok "sendmail speaks as itself" grep -q . "$dir/sendmail"
ok "the program runs there" grep -q usage: "$dir/help"
ok "an install enables nothing" test ! -s "$dir/enabled"
ok "an upgrade restarts the server" says upgrade restart
ok "an upgrade does not stop it first" says_not upgrade stop
ok "an upgrade disables nothing" says_not upgrade disable
ok "removal stops it" says remove stop
ok "purge leaves the configuration" is "$(cat "$dir/kept")" mine
ok "purge leaves nothing of the package" test ! -s "$dir/left"
finish
