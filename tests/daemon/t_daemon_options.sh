#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_options.sh: wrong options, files and directories are refused with file, line, expected and found; only one
# daemon has a run directory.
. "$(dirname "$0")/../functions.sh"

say "help and version"
grep -q -- '--workers=NUMBER' <(xensplitd --help | cat)
xensplitd --version | grep -q '^xensplitd '

say "wrong options"
expect_fail 'unrecognized option' xensplitd --wrokers=2
expect_fail 'workers: expected a number from 0 to 64, found "many"' xensplitd --workers=many
expect_fail 'engine: expected auto\|io_uring\|libaio, found "uring"' xensplitd --engine=uring
expect_fail 'expected options only, found "vbd"' xensplitd vbd
expect_fail 'nowhere.conf: No such file' xensplitd --config "$SCRATCH/nowhere.conf"

say "a wrong file"
printf '# two workers\nworkers = 2\nlog-level = loud\n' >"$SCRATCH/bad.conf"
expect_fail 'bad.conf:3: log-level: expected error\|warning\|info\|debug, found "loud"' \
    xensplitd -c "$SCRATCH/bad.conf"

box_up
say "a run directory that others may write to"
mkdir -m 0777 "$SCRATCH/open"
expect_fail 'expected a directory of user .* that nobody else may write to' xenbox run -- xensplitd --run-dir "$SCRATCH/open"
expect_fail 'cannot make the run directory' xenbox run -- xensplitd --run-dir "$SCRATCH/no/where"

say "settings from a file, and a second daemon"
printf 'workers = 3\nlog-time = on\n' >"$SCRATCH/good.conf"
daemon_start -c "$SCRATCH/good.conf"
grep -q '^20..-..-.. ..:..:..\.... xensplitd: .* serves; workers: 3' "$DAEMON_LOG"
expect_fail "another xensplitd \(process $DAEMON\) serves" xenbox run -- xensplitd --run-dir "$SCRATCH/xensplit"

expect_fail "another xensplitd \(process $DAEMON\) serves this domain's devices" \
    xenbox run -- xensplitd --run-dir "$SCRATCH/elsewhere"

say "after a crash the directory and the domain are free again"
daemon_kill
daemon_start --workers 1
daemon_stop
