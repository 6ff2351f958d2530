#!/usr/bin/env bash
# Builds each known mistake into the delivery engine and shows which tests notice it. A mistake that no test notices is
# a failure of the tests. A name as argument tries that one only.
set -euo pipefail
cd "$(dirname "$0")/.."

SABOTAGES=(
    ack_before_handler
    no_flush_on_exit
    term_before_dead_letter
    ignore_dead_letter_error
    nak_after_deadline
    unlimited_prefetch
    default_permanent
    # Of inbox and outbox: noticed by c2_death_after_the_commit, e4_order_of_keys, e2_killed_relays and
    # e5_relay_that_lost_its_lead.
    inbox_in_separate_transaction
    cursor_relay
    no_message_id
    unfenced_relay
)
if [ $# -gt 0 ]; then SABOTAGES=("$@"); fi

# The tests of the engine on real servers and real processes, without those that last longest.
LONGEST='test(/^(a2|a3|a6|a7|a8|b1|b2|b3|b5|c1|c7|h2|k1)_/)'
TESTS="package(natspubsub-tests) and binary(/^(flow|scenarios|stores_scenarios)$/) and not $LONGEST"

# The names of the first tests that fail; a mistake makes many wait for what never comes, and three are enough.
failing() {
    NATSPUBSUB_SABOTAGE="$1" cargo nextest run --workspace --max-fail 3:immediate -E "$TESTS" >"target/sabotage-$1.log" 2>&1 || true
    sed -n 's/^ *\(FAIL\|TIMEOUT\|SIGABRT\) \[[^]]*\] \(([^)]*) \)\?natspubsub-tests::\(.*\)$/  \3/p' \
        "target/sabotage-$1.log" | sort -u
}

cargo nextest run --workspace -E "$TESTS" --no-run 2>/dev/null
baseline=$(failing "")
if [ -n "$baseline" ]; then
    printf 'without a mistake these tests fail already:\n%s\n' "$baseline"
    exit 1
fi
unnoticed=0
for sabotage in "${SABOTAGES[@]}"; do
    caught=$(failing "$sabotage")
    if [ -z "$caught" ]; then
        printf '%s: NO TEST NOTICES\n' "$sabotage"
        unnoticed=1
    else
        printf '%s: noticed by\n%s\n' "$sabotage" "$caught"
    fi
done
exit "$unnoticed"
