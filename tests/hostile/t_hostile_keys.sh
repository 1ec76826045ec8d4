#!/bin/bash
# SPDX-License-Identifier: MIT
# Store keys that make no sense: the device closes and says which key, what was expected and what was found, and the
# next connect with good keys works.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile.sh"

neighbours_start
refused ring-ref-0 "ring-ref: expected .*, found 0"
refused ring-ref-absent "ring-ref: expected .*, found nothing"
refused ring-ref-foreign "ring-ref: expected a writable grant of domain $EVIL .*ref 31000"
refused ring-ref-huge "ref 4294967295 cannot be mapped"
refused ring-ref-words "ring-ref: expected .*, found 8; rm"
refused port-0 "event-channel: expected a port .*, found 0"
refused port-huge "event-channel: expected a port .*, found 4294967296"
refused port-unbound "event-channel: expected a port .* port 4000 cannot be bound"
refused ring-order-99 "ring-page-order: expected 0.*, found 99"
refused queues-9 "multi-queue-num-queues: expected 1.*, found 9"
refused protocol-unknown "protocol: expected x86_64-abi or x86_32-abi, found vax-abi"
hostile state-99
hostile flapping
hostile ids
neighbours_stop
