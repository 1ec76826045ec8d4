#!/bin/bash
# SPDX-License-Identifier: MIT
# What a guest has stays its own while it reconnects: another one that waits for the image never gets it in a gap. An
# image that was resized, replaced or exchanged meanwhile is opened anew.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start --workers 2
IMAGE=$SCRATCH/disk.img
image_make "$IMAGE" 1
guest_create owner
OWNER=$DOM
guest_create thief
THIEF=$DOM

opened() {
    grep -c "vbd $OWNER/$VDEV: disk " "$DAEMON_LOG" || :
}
owner_reads() {
    in_guest "$OWNER" xenfront blk read -q "$VDEV" | cmp - "$1"
}

disk_attach "$OWNER" params="$IMAGE" >/dev/null
owner_reads "$IMAGE"
say "another guest waits for the image while its owner reconnects"
expect_fail 'locked by another' xenbox attach "$THIEF" vbd vdev="$VDEV" params="$IMAGE" &
thief=$!
in_guest "$OWNER" "$XS_BUILDDIR/tests/faults/cycle" "$VDEV" 50
wait $thief || fail "the image was had by two guests"
[ "$(opened)" = 1 ] || fail "the image was opened $(opened) times"

say "an image that grew"
truncate -s 2M "$IMAGE"
owner_reads "$IMAGE"
[ "$(opened)" = 2 ] || fail "a resized image was opened $(opened) times"

say "another file in its place"
image_make "$SCRATCH/new" 2
mv "$SCRATCH/new" "$IMAGE"
owner_reads "$IMAGE"
[ "$(opened)" = 3 ] || fail "a replaced image was opened $(opened) times"

say "another image"
image_make "$SCRATCH/other" 1
in_dom0 xenstore-write "/local/domain/0/backend/vbd/$OWNER/$VDEV/params" "$SCRATCH/other"
owner_reads "$SCRATCH/other"
[ "$(opened)" = 4 ] || fail "another image was opened $(opened) times"

say "the image is gone"
rm "$SCRATCH/other"
expect_fail 'backend|Closing|connect' xenbox run -d "$OWNER" -- xenfront blk read -q "$VDEV"
wait_log "$DAEMON_LOG" "vbd $OWNER/$VDEV: cannot open .*/other"
xenbox detach "$OWNER" vbd "$VDEV"
disk_attach "$THIEF" params="$IMAGE" >/dev/null
