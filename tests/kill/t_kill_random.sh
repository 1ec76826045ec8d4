#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon, frontends, or both at once are killed at random points, also in the middle of a start, of a take-over and
# of a connect, while queues move between workers, in a box that breaks as a Linux domain 0 would when a process dies with
# I/O on granted pages. What was acknowledged is read back, also by who was killed meanwhile; nothing is answered twice
# (the frontends look), and at the end nothing is left.
. "$(dirname "$0")/../functions.sh"

ROUNDS=${ROUNDS:-$(rounds 120 5000)}
GUESTS=()
declare -A PID KILLED

box_up --punish
daemon_start --workers 2

# A guest's program verifies until it is killed or told to stop.
guest_work() {
    local guest=$1
    (
        until [ -e "$SCRATCH/enough.$guest" ]; do
            if [ "$guest" = "${GUESTS[2]:-}" ]; then # the one that is killed knows what was acknowledged to it before
                xenbox run -d "$guest" -- "$XS_BUILDDIR/tests/kill/ledger" "$VDEV" "$SCRATCH/ledger" "$SCRATCH/enough" &
            else
                xenbox run -d "$guest" -- xenfront blk verify --quiet --size=16M --seed="$RANDOM" "$VDEV" &
            fi
            echo $! >"$SCRATCH/program.$guest"
            wait $! || exit
            [ ! -e "$SCRATCH/enough" ] || break # but once to the end
        done
    ) >>"$SCRATCH/verify-$guest.log" 2>&1 &
    PID[$guest]=$!
    KILLED[$guest]=
}
guest_kill() {
    local guest=$1
    kill -0 "${PID[$guest]}" 2>/dev/null || fail "guest $guest noticed: $(tail -n 3 "$SCRATCH/verify-$guest.log")"
    KILLED[$guest]=1
    touch "$SCRATCH/enough.$guest" # it may have been through already, and be about to begin anew
    kill -KILL "$(cat "$SCRATCH/program.$guest" 2>/dev/null || :)" 2>/dev/null || :
}
# Those that were killed begin anew; none may have ended for another reason.
guests_again() {
    local guest
    for guest in "${GUESTS[@]}"; do
        [ -n "${KILLED[$guest]}" ] || continue
        wait "${PID[$guest]}" 2>/dev/null || :
        rm -f "$SCRATCH/enough.$guest"
        guest_work "$guest"
    done
}

for name in one two three; do
    truncate -s 16M "$SCRATCH/$name.img"
    guest_create "$name"
    disk_attach "$DOM" params="$SCRATCH/$name.img" >/dev/null
    GUESTS+=("$DOM")
done
for guest in "${GUESTS[@]}"; do
    guest_work "$guest"
done

daemons=0 frontends=0
for ((round = 0; round < ROUNDS; round++)); do
    ! soaked || break
    sleep "0.0$((RANDOM % 90 + 10))" # any moment will do
    case $((RANDOM % 6)) in
    0 | 1) ;;
    2)
        xensplit --run-dir "$SCRATCH/xensplit" move "${GUESTS[0]}/$VDEV" $((RANDOM % 2)) >/dev/null 2>&1 &
        guest_kill "${GUESTS[2]}"
        ;;
    *) guest_kill "${GUESTS[2]}" ;;
    esac
    if [ $((RANDOM % 3)) != 0 ]; then
        daemon_kill
        daemons=$((daemons + 1))
        if [ $((RANDOM % 4)) = 0 ]; then # its successor, too, on its way in
            # shellcheck disable=SC2086 # words on purpose
            xenbox run -- xensplitd --run-dir "$SCRATCH/xensplit" --workers 2 ${XS_DAEMON_OPTIONS:-} 2>>"$SCRATCH/successor.log" &
            sleep "0.0$((RANDOM % 90 + 10))"
            kill -KILL $!
            wait $! 2>/dev/null || :
            daemons=$((daemons + 1))
        fi
        : >"$DAEMON_LOG"
        daemon_start --workers 2
    fi
    [ -z "${KILLED[${GUESTS[2]}]}" ] || frontends=$((frontends + 1))
    guests_again
    for guest in "${GUESTS[@]}"; do
        kill -0 "${PID[$guest]}" 2>/dev/null || fail "guest $guest noticed: $(tail -n 3 "$SCRATCH/verify-$guest.log")"
    done
done
echo "figure: killed in $round rounds: $daemons daemons, $frontends frontends"

touch "$SCRATCH/enough"
for guest in "${GUESTS[@]}"; do
    wait "${PID[$guest]}" || fail "guest $guest noticed: $(tail -n 3 "$SCRATCH/verify-$guest.log")"
    grep -c "no difference" "$SCRATCH/verify-$guest.log"
    xenbox detach "$guest" vbd "$VDEV"
done
