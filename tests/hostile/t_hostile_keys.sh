#!/bin/bash
# SPDX-License-Identifier: MIT
# Store keys that make no sense: the device closes and says which key, what was expected and what was found, and the
# next connect with good keys works.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile.sh"

neighbours_start
hostile ring-ref-0 "vbd $EVIL/$VDEV: .*ring-ref: expected .*, found 0"
hostile ring-ref-absent "ring-ref: expected .*, found nothing"
hostile ring-ref-foreign "ring-ref: expected a writable grant of domain $EVIL .*ref 31000"
hostile ring-ref-huge "ref 4294967295 cannot be mapped"
hostile ring-ref-words "ring-ref: expected .*, found 8; rm"
hostile port-0 "event-channel: expected a port .*, found 0"
hostile port-huge "event-channel: expected a port .*, found 4294967296"
hostile port-unbound "event-channel: expected a port .* port 4000 cannot be bound"
hostile ring-order-99 "ring-page-order: expected 0.*, found 99"
hostile queues-9 "multi-queue-num-queues: expected 1.*, found 9"
hostile protocol-unknown "protocol: expected x86_64-abi or x86_32-abi, found vax-abi"
hostile state-99
hostile flapping
hostile ids
neighbours_stop
