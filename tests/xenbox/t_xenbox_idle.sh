# SPDX-License-Identifier: MIT
# A box in which nothing happens takes no processor time: none of its processes is scheduled at all, however many
# domains there are. (make bench-domains does it with a thousand.)
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

# How often each of the box's processes has been scheduled.
switches() {
    local part
    for part in "${!pid[@]}"; do
        awk -v part="$part" '/ctxt_switches/ { sum += $2 } END { print part, sum }' "/proc/${pid[$part]}/status"
    done
}

box_up
declare -A pid
for part in supervisor hv xenstored xenbus; do
    pid[$part]=$(box_pid $part)
done
for _ in {1..20}; do
    xenbox domain create >/dev/null
done
[ "$(xenbox domain list | wc -l)" -ge 21 ] || fail "$(xenbox domain list)"

# What was begun is over some time: then nothing moves for two seconds.
for _ in {1..10}; do
    before=$(switches)
    sleep 2
    [ "$before" != "$(switches)" ] || exit 0
done
fail "something wakes up in a box at rest: $before, and then $(switches)"
