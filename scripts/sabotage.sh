#!/usr/bin/env bash
# Builds each known mistake into the delivery engine, the inbox or the outbox, and shows which tests notice it. A mistake
# that no test notices is a failure of the tests. Names as arguments try those only.
set -euo pipefail
cd "$(dirname "$0")/.."

ENGINE=(
    ack_before_handler
    no_flush_on_exit
    term_before_dead_letter
    ignore_dead_letter_error
    nak_after_deadline
    unlimited_prefetch
    default_permanent
)
STORES=(
    inbox_in_separate_transaction
    cursor_relay
    no_message_id
    unfenced_relay
)

# The tests on real servers, databases and processes, without those that last longest.
LONGEST='test(/^(a2|a3|a6|a7|a8|b1|b2|b3|b5|c1|c7|h2|k1)_/)'
OF_ENGINE="package(natspubsub-tests) and binary(/^(flow|scenarios)$/) and not $LONGEST"
OF_STORES="package(natspubsub-tests) and binary(stores_scenarios) and not $LONGEST"

# The names of the first tests that fail; a mistake makes many wait for what never comes, and three are enough.
failing() {
    NATSPUBSUB_SABOTAGE="$1" cargo nextest run --workspace --max-fail 3:immediate -E "$2" >"target/sabotage-$1.log" 2>&1 || true
    sed -n 's/^ *\(FAIL\|TIMEOUT\|SIGABRT\) \[[^]]*\] \(([^)]*) \)\?natspubsub-tests::\(.*\)$/  \3/p' \
        "target/sabotage-$1.log" | sort -u
}

unnoticed=0
# The tests, and the mistakes that they have to notice.
try() {
    local tests=$1 baseline sabotage caught
    shift
    [ $# -gt 0 ] || return 0
    baseline=$(failing "" "$tests")
    if [ -n "$baseline" ]; then
        printf 'without a mistake these tests fail already:\n%s\n' "$baseline"
        exit 1
    fi
    for sabotage in "$@"; do
        caught=$(failing "$sabotage" "$tests")
        if [ -z "$caught" ]; then
            printf '%s: NO TEST NOTICES\n' "$sabotage"
            unnoticed=1
        else
            printf '%s: noticed by\n%s\n' "$sabotage" "$caught"
        fi
    done
}

if [ $# -gt 0 ]; then
    wanted=" $* "
    all=" ${ENGINE[*]} ${STORES[*]} "
    for name in "$@"; do
        [[ $all == *" $name "* ]] || { echo "no such mistake: $name; one of$all"; exit 2; }
    done
    keep() { for name in "$@"; do [[ $wanted == *" $name "* ]] && echo "$name"; done; true; }
    mapfile -t ENGINE < <(keep "${ENGINE[@]}")
    mapfile -t STORES < <(keep "${STORES[@]}")
fi
cargo nextest run --workspace -E "$OF_ENGINE or $OF_STORES" --no-run 2>/dev/null
try "$OF_ENGINE" "${ENGINE[@]}"
try "$OF_STORES" "${STORES[@]}"
exit "$unnoticed"
