# What stands outside of a server that sends: a name server, servers with ways of their own, another Qasid. Sourced by
# tests/real/*.sh behind lib.sh, which set $dns and $port and call outside_end at their end.
# shellcheck shell=bash
outside=() names=

# A name server at 127.0.0.1:$dns, its process in $names.
names_begin() { # FILE OF OPTIONS OR /dev/null, OPTION…
  local file=$1
  shift
  dnsmasq --keep-in-foreground --conf-file="$file" --no-resolv --no-hosts --port="$dns" --listen-address=127.0.0.1 \
    --bind-interfaces --pid-file= --user="$(id -un)" "$@" >>"$dir/dnsmasq.log" 2>&1 &
  names=$!
}

# NAME_smtp.py at $port, which keeps its files in $dir/NAME.
peer_begin() { # NAME
  mkdir "$dir/$1"
  python3 "$(dirname "$0")/$1_smtp.py" "$port" "$dir/$1" >"$dir/$1/out" 2>&1 &
  outside+=($!)
}

# Another server, of the name $far_name if that is set, with these lines in place of where ours listens: `far COMMAND`; its process is in
# $far_server.
far() { "$qasid_bin" -c "$dir/far.conf" "$@"; }
far_begin() { # LINE…
  local a
  read -r a < <(free_ports 1)
  sed -e "s|$dir/data|$dir/far-data|; s|$dir/run|$dir/far-run|; s|mx.example.org|${far_name:-mx.example.org}|" -e "/^listen_/d" "$dir/qasid.conf" >"$dir/far.conf"
  printf '%s\n' 'listen_submissions = {}' "listen_pop3 = { \"127.0.0.1:$a\" }" 'listen_pop3s = {}' 'collect = no' 'send = no' \
    'smtpd_processes = 1' "$@" >>"$dir/far.conf"
  "$qasid_bin" -c "$dir/far.conf" serve 2>"$dir/far-log" & # itself, not a shell that runs it: it is ended by that number
  far_server=$!
  outside+=("$far_server")
}

# Until all that was begun is there.
outside_ready() { # NAME OF A PEER…
  local i name there
  for ((i = 0; i < 300; i++)); do
    there=yes
    for name; do grep -qs ready "$dir/$name/out" || there=; done
    [ -z "${far_server:-}" ] || grep -qs event=ready "$dir/far-log" || there=
    [ -z "$there" ] || return 0
    sleep 0.1
  done
}

outside_end() { kill $names "${outside[@]}" 2>/dev/null; }
