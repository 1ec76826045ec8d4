#!/bin/bash
# SPDX-License-Identifier: MIT
# The library as other programs use it: installed with its header and pkg-config file, nothing exported but its own
# names, and good for an event loop with two disks.
# short: yes
. "$(dirname "$0")/../functions.sh"

say "what is installed"
lib=$(find "$XS_STAGE" -name libxenfront.so)
[ -n "$lib" ] || fail "no libxenfront.so"
[ -n "$(find "$XS_STAGE" -path '*include/xenfront.h')" ] || fail "no xenfront.h"
pc=$(find "$XS_STAGE" -name xenfront.pc)
[[ $(PKG_CONFIG_PATH=${pc%/*} pkg-config --libs xenfront) == *-lxenfront* ]] || fail "pkg-config does not know it"
foreign=$(nm -D --defined-only "$lib" | sed -n 's/^[0-9a-f]* [A-Z] //p' | grep -v -E '^(xenfront_|XENFRONT_)' || :)
[ -z "$foreign" ] || fail "exported: $foreign"

say "two disks in one event loop"
box_up
daemon_start --workers 2
guest_create
image_make "$SCRATCH/from.img" 7
truncate -s 7M "$SCRATCH/to.img"
VDEV=51712 disk_attach "$DOM" params="$SCRATCH/from.img" mode=r >/dev/null
VDEV=51728 disk_attach "$DOM" params="$SCRATCH/to.img" >/dev/null
in_guest "$DOM" "$XS_BUILDDIR/tests/front/two_disks" xvda xvdb
cmp "$SCRATCH/from.img" "$SCRATCH/to.img"
xenbox detach "$DOM" vbd 51712
xenbox detach "$DOM" vbd 51728
