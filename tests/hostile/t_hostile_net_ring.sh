#!/bin/bash
# SPDX-License-Identifier: MIT
# Network rings whose accounting cannot be (catalogue D02, D03, D04, D06, D12), and keys that cannot be served: the
# device closes, says why, and is good again after a proper connect.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile_net.sh"

evil_guest
hostile too-many-slots "tx ring: expected a packet of at most 20 slots with an end, found a packet of more than 20 slots"
hostile endless-slots "more than 20 slots"
hostile endless-extras "found a packet that goes on behind the producer index"
hostile unfinished "found a packet that goes on behind the producer index"
hostile tx-producer-257 "tx ring: expected a request producer at most 256 ahead"
hostile tx-producer-back "tx ring: expected a request producer at most 256 ahead"
hostile rx-producer-257 "rx ring: expected a request producer at most 256 ahead .*, found 257"
hostile rx-producer-half "rx ring: expected a request producer .*, found 2147483648"
hostile tx-ring-ref-0 "tx-ring-ref: expected a grant reference that is not 0, found 0"
hostile tx-ring-ref-absent "tx-ring-ref: expected .*, found nothing"
hostile tx-ring-ref-foreign "tx-ring-ref: expected a writable grant of domain [0-9]+ to this one"
hostile rx-ring-ref-words "rx-ring-ref: expected a grant reference that is not 0, found 8; rm -rf /"
hostile rx-ring-ref-foreign "rx-ring-ref: expected a writable grant"
hostile port-absent "event-channel-tx: expected a port from 1 to 131071, found nothing"
hostile port-huge "event-channel: expected a port from 1 to 131071, found 4294967296"
hostile port-unbound "event-channel: expected an unbound port"
hostile no-rx-copy "request-rx-copy: expected 1: pages are not exchanged any more, found nothing"
hostile rx-copy-0 "request-rx-copy: expected 1: .*, found 0"
hostile queues-9 "multi-queue-num-queues: expected 1, since one queue is offered, found 9"
hostile feature-2 "feature-sg: expected 0 or 1, found 2"
hostile control-ring

say "one breaks its ring again and again while the same worker serves another"
good_start
rounds=0
while kill -0 "$GOOD" 2>/dev/null || [ $rounds -lt 3 ]; do
    hostile too-many-slots
    rounds=$((rounds + 1))
done
good_end
