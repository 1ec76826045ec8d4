#!/bin/bash
# SPDX-License-Identifier: MIT
# libxenvchan as Debian built it, at full speed: a program on its public interface sends 256 MiB from one guest to
# another, which checks every word of it.
. "$(dirname "$0")/../functions.sh"

SPEED=$XS_BUILDDIR/tests/interop/vchan_speed
MIB=256

box_up --mapping=strict
guest_create server
server=$DOM
guest_create client
xenbox run -d "$server" -- "$SPEED" server "$DOM" data/speed $MIB &
sender=$!
wait_store "/local/domain/$server/data/speed/event-channel" '[0-9]+'
xenbox run -d "$DOM" -- "$SPEED" client "$server" "/local/domain/$server/data/speed" $MIB | tee "$SCRATCH/speed"
wait "$sender"
grep -q "^$MIB MiB checked, [0-9]* MB/s$" "$SCRATCH/speed"
in_guest "$server" xenstore-rm data/speed
