#!/bin/bash
# SPDX-License-Identifier: MIT
# Each guest has a connection of its own to the store: its own home for relative paths, its own permissions; and
# when it dies its nodes and its socket go, its programs read end of file, and the other guest does not notice.
# short: yes
. "$(dirname "$0")/../functions.sh"
need xenstore-read xenstore-write xenstore-chmod

LOAD=$XS_BUILDDIR/tests/xenstore/xs_load
box_up
guest_create first
first=$DOM
guest_create second
second=$DOM

[ "$(in_guest "$first" xenstore-read domid name | tr '\n' ' ')" = "$first first " ]
[ "$(in_guest "$second" xenstore-read domid name | tr '\n' ' ')" = "$second second " ]

in_guest "$first" xenstore-write data/colour blue
[ "$(in_dom0 xenstore-read "/local/domain/$first/data/colour")" = blue ]
[ "$(in_guest "$first" xenstore-read "/local/domain/$first/data/colour")" = blue ]

expect_fail "couldn't read" xenbox run -d "$second" -- xenstore-read "/local/domain/$first/data/colour"
expect_fail "could not write" xenbox run -d "$second" -- xenstore-write "/local/domain/$first/data/colour" red
expect_fail "could not write" xenbox run -d "$second" -- xenstore-write /tool/mine x
expect_fail "could not write" xenbox run -d "$second" -- xenstore-write domid 0
[ "$(in_dom0 xenstore-read "/local/domain/$first/data/colour")" = blue ]

in_guest "$first" xenstore-chmod data/colour "n$first" "r$second"
[ "$(in_guest "$second" xenstore-read "/local/domain/$first/data/colour")" = blue ]
expect_fail "could not write" xenbox run -d "$second" -- xenstore-write "/local/domain/$first/data/colour" red

in_guest "$second" "$LOAD" wait >"$SCRATCH/second.log" &
second_client=$!
wait_log "$SCRATCH/second.log" connected
# Not started by `xenbox run`, so that it is no process of the domain that would be killed with it.
XENSTORED_PATH=$XENBOX/store/$first "$LOAD" wait >"$SCRATCH/first.log" &
first_client=$!
wait_log "$SCRATCH/first.log" connected

xenbox domain destroy "$first"
wait "$first_client"
[ ! -e "$XENBOX/store/$first" ]
expect_fail "couldn't read" xenbox run -- xenstore-read "/local/domain/$first/data/colour"
kill -0 "$second_client"
[ "$(in_guest "$second" xenstore-read name)" = second ]

xenbox domain destroy "$second"
wait "$second_client" || :
