#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that receive badly (catalogue D07, D14, D16): pages that cannot be written, always one too few, none while 64 MB
# come in, never more than a few. What nobody takes is dropped in time, costs no memory, and the guest is served again
# when it is ready.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile_net.sh"

memory_kb() {
    awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"
}

evil_guest --vif-drain 100
hostile receive
hostile receive-grants "a posted page cannot be written"
before=$(memory_kb)
hostile stall "the guest has taken no frame for 100 ms"
hostile one-page "the guest takes frames again"
[ $(($(memory_kb) - before)) -lt 16384 ] || fail "the daemon grew from $before to $(memory_kb) kB"
hostile few-pages

say "one takes nothing while the same worker serves another"
good_start
hostile stall
good_end

hostile no-notify "without rx notification"
