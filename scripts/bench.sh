#!/usr/bin/env bash
# Measures everything that has a budget (benches/budgets.toml), beside raw async-nats on this machine, and prints a table.
# Fails when a budget is exceeded. About 15 minutes on an idle machine; `scripts/bench.sh 7 100000` are its defaults: pairs of
# runs, and messages in a run. Needs a nats-server (scripts/test.sh installs one) and valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --package natspubsub-bench
end=0
target/release/natspubsub-bench budgets "${1:-7}" "${2:-100000}" || end=$?
printf '\n'
target/release/counts all || end=$?
exit "$end"
