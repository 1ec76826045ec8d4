# SPDX-License-Identifier: MIT
# faults.sh: a daemon whose allocations are counted and made to fail (alloc.c has the board that is shared with it).

ALLOC_BOARD=$SCRATCH/alloc

# alloc_daemon_start [OPTION...]: as daemon_start, with the library preloaded.
alloc_daemon_start() {
    head -c 4096 /dev/zero >"$ALLOC_BOARD"
    DAEMON_WRAP=(env LD_PRELOAD="$XS_BUILDDIR/tests/faults/.libs/alloc.so" XS_ALLOC="$ALLOC_BOARD"
        ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0:detect_leaks=0") # leaks show in the counts
    daemon_start "$@"
    [ "$(alloc_read main)" -gt 0 ] || fail "the library that counts allocations is not in the daemon"
}

# alloc_read live|main|worker|armed|failed: a count of the board.
alloc_read() {
    local at
    case $1 in
    live) at=0 ;;
    main) at=8 ;;
    worker) at=16 ;;
    armed) at=24 ;;
    failed) at=40 ;;
    esac
    od -A n -t d8 -j $at -N 8 "$ALLOC_BOARD" | tr -d ' '
}

# alloc_fail N [any|main|worker|store]: the N-th allocation from now on fails.
alloc_fail() {
    local where=0 bytes
    case ${2:-any} in
    main) where=1 ;;
    worker) where=2 ;;
    store) where=3 ;;
    esac
    [ "$1" = 0 ] || printf '%b' "\\x0$where" | dd of="$ALLOC_BOARD" bs=1 seek=32 conv=notrunc status=none
    printf -v bytes '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8))
    printf '%b' "$bytes" | dd of="$ALLOC_BOARD" bs=1 seek=24 conv=notrunc status=none
}
