# SPDX-License-Identifier: MIT
# `run` becomes the program: its status, its signals, its environment, its streams.
# short: yes
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

box_up
guest_create guest

say "exit status"
expect_status 0 xenbox run true
expect_status 42 xenbox run -- sh -c 'exit 42'
expect_status 143 xenbox run -- sh -c 'kill -TERM $$'
expect_status 127 xenbox run -- /nowhere/to/be/found
expect_status 126 xenbox run -- /etc/passwd
said=$(xenbox run no-such-program 2>&1) || true
[ "$said" = 'xenbox: cannot run no-such-program: No such file or directory' ] || fail "it said: $said"

say "process and streams"
xenbox run -- sh -c 'echo $$ >"$0"; read -r line; echo "got $line"' "$SCRATCH/pid" <<<hello >"$SCRATCH/out" &
pid=$!
wait $pid
[ "$(cat "$SCRATCH/pid")" = $pid ] || fail "a process stands between"
[ "$(cat "$SCRATCH/out")" = "got hello" ] || fail "streams"
[ "$(xenbox run -- printf '%s|' -d 1 -- --help)" = '-d|1|--|--help|' ] || fail "arguments"

say "environment"
value() { # DOMAIN NAME
    xenbox run -d "$1" -- printenv "$2"
}
[ "$(value 0 XENBOX)" = "$XENBOX" ] || fail "XENBOX"
[ "$(value 0 XENBOX_DOMID) $(value guest XENBOX_DOMID)" = "0 $DOM" ] || fail "XENBOX_DOMID"
[ "$(value 0 XENSTORED_PATH)" = "$XENBOX/store/socket" ] || fail "XENSTORED_PATH"
[ "$(value guest XENSTORED_PATH)" = "$XENBOX/store/$DOM" ] || fail "XENSTORED_PATH of a guest"
[[ $(value 0 LD_LIBRARY_PATH) = "$XENBOX_LIBDIR:$LD_LIBRARY_PATH" ]] || fail "LD_LIBRARY_PATH"
[ "$(xenbox run -- xenbox run -- printenv LD_LIBRARY_PATH)" = "$XENBOX_LIBDIR:$LD_LIBRARY_PATH" ] || fail "run in run"

say "domains by number and name"
[ "$(in_guest guest xenstore-read name)" = guest ] || fail "by name"
[ "$(in_guest $DOM xenstore-read domid)" = "$DOM" ] || fail "by number"
[ "$(in_guest Domain-0 xenstore-read domid)" = 0 ] || fail "domain 0 by name"
expect_fail "there is no domain 77" xenbox run -d 77 true
expect_fail "there is no domain 'nobody'" xenbox run -d nobody true

say "a guest has a guest's rights"
expect_fail 'could not write path' xenbox run -d guest -- xenstore-write /local/domain/0/name me
in_guest guest xenstore-write data/mine 1
