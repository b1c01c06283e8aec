#!/bin/bash
# What bad input gets, octet by octet over real sockets: tests/real/hostile.py says what.
qasid_bin=$1
. "$(dirname "$0")/../lib.sh"
export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=8
begin
export dir qasid_bin smtp submission submissions pop3 pop3s
option smtp_command_timeout 10
option smtp_data_timeout 10
option pop3_login_timeout 10
option tls_handshake_timeout 2
option connections_per_address 300
option auth_mechanisms '{ "PLAIN", "LOGIN", "CRAM-MD5" }'
add alice bob sam dan eve tom
serve
export server
suite hostile.py
ok "the store checks clean after it" q check
finish
