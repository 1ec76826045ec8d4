#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the dom0 part of one case. Ends with 0, with 77 for a skip, or with anything else for a failure.
. /xen/functions.sh
. /xen/bench.sh
CASE=$1
. "/xen/cases/$CASE" || fail "no such case"
set -e
dom0
