#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's xenstore-* in a guest, with a guest's rights, and the tools of domain 0 that ask the hypervisor: xen-diag,
# xenpm and xl.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need xenstore-write xenstore-chmod xenstore-watch "$XEN_BIN/xen-diag" "$XEN_BIN/xenpm"

box_up --limit grant-frames=40
guest_create guest
guest=$DOM
guest_create other
home=/local/domain/$guest/data

say "write, read, list, exists, rm: paths are the guest's"
in_guest "$guest" xenstore-write data/a 1 data/b/c 'two words'
[ "$(in_guest "$guest" xenstore-read data/a data/b/c | tr '\n' '|')" = "1|two words|" ]
[ "$(in_dom0 xenstore-read "$home/b/c")" = "two words" ]
[ "$(in_guest "$guest" xenstore-list data | sort | tr '\n' ' ')" = "a b " ]
in_guest "$guest" xenstore-exists data/b
in_guest "$guest" xenstore-rm data/a
! in_guest "$guest" xenstore-exists data/a || fail "data/a is still there"

say "ls, and who may read: chmod takes the other guest in"
in_guest "$guest" xenstore-ls -fp data | tee "$SCRATCH/ls"
grep -qE "^data/b/c = \"two words\" +\(n$guest\)$" "$SCRATCH/ls"
expect_fail 'couldn.t read path|Permission denied' xenbox run -d "$DOM" -- xenstore-read "$home/b/c"
in_guest "$guest" xenstore-chmod data/b/c n"$guest" r"$DOM"
[ "$(in_guest "$DOM" xenstore-read "$home/b/c")" = "two words" ]
! in_guest "$DOM" xenstore-write "$home/b/c" mine 2>/dev/null || fail "the other guest may write"
in_dom0 xenstore-ls -fp "$home" | grep -q "(n$guest,r$DOM)"

say "watch: what the other side writes"
xenbox run -d "$guest" -- xenstore-watch -n 3 data/w >"$SCRATCH/watch.log" &
watcher=$!
wait_log "$SCRATCH/watch.log" '^data/w$' "$watcher"
in_dom0 xenstore-write "$home/w/x" 1
wait_log "$SCRATCH/watch.log" '^data/w/x$' "$watcher"
in_guest "$guest" xenstore-rm data/w
wait "$watcher"

say "what the hypervisor says"
[ "$(in_dom0 "$XEN_BIN/xen-diag" gnttab_query_size "$guest")" = "domid=$guest: nr_frames=40, max_nr_frames=40" ]
[ "$(in_dom0 "$XEN_BIN/xenpm" get-cpu-topology | grep -c '^CPU[0-9]')" = "$(nproc --all)" ]
in_dom0 "$XEN_BIN/xl" uptime | grep -qE "^guest +$guest +[0-9]"
in_dom0 "$XEN_BIN/xl" claims | grep -qE "^other +$DOM "
