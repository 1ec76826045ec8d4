# SPDX-License-Identifier: MIT
# What the benches share: figures of several backends in one boot become ratios to the kernel's own.

# bench_keep GUEST WORDS: what the guest printed as "bench: JOB RATE" goes to /run/case/figures as "WORDS JOB RATE"; the
# first of the words is what the work was done on, the second the backend.
bench_keep() { guest_console "$1" | sed -n "s,^bench: ,$2 ,p" >> /run/case/figures; }

# bench_table BASE OTHER...: rates of the other backends with BASE's as 1, medians over the rounds.
bench_table() {
    sort -k1,3 -k4n /run/case/figures | awk -v backends="$*" '
        function middle(key) { return (value[key, int((n[key] + 1) / 2)] + value[key, int((n[key] + 2) / 2)]) / 2 }
        { row = sprintf("%-7s %s", $1, $3); rows[row] = 1; key = row SUBSEP $2; value[key, ++n[key]] = $4 }
        END { count = split(backends, backend, " ")
            for (row in rows) {
                base = middle(row SUBSEP backend[1])
                line = sprintf("%-26s %s %8.1f/s", row, backend[1], base)
                for (i = 2; i <= count && base > 0; i++) {
                    key = row SUBSEP backend[i]
                    if (n[key])
                        line = line sprintf("   %s %.2f", backend[i], middle(key) / base)
                }
                print line
            } }' | sort
}

bench_rounds() { seq "$(tr ' ' '\n' </proc/cmdline | sed -n 's/^xen_rounds=//p')"; }
