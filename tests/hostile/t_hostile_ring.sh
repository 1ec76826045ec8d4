#!/bin/bash
# SPDX-License-Identifier: MIT
# Rings whose accounting cannot be (catalogue C11), and closing with requests in flight (C14, H09): the device closes,
# says why, and is good again after a reconnect.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile.sh"

neighbours_start
refused producer-33 "ring: expected a request producer at most 32 ahead .*, found 34"
refused producer-half "ring: expected a request producer at most 32 ahead .*, found 2147483649"
refused producer-back "ring: expected a request producer at most 32 ahead .*, found 0"
refused ring-as-data "ring: expected a request producer at most 32 ahead"
hostile revocation
hostile close-in-flight
hostile ids
neighbours_stop
