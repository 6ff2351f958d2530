#!/usr/bin/env bash
# The instructions of a consumed message above raw async-nats, against benches/budgets.toml: callgrind counts them, so that
# the load of the machine makes no difference. A build of its own, without the cases that need a database: in the profile of
# the tests such a number would mean nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null 2>&1; then
        printf 'valgrind is missing, and instructions are not counted\n'
        exit 0
    fi
    as_root=()
    if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
    if ! { "${as_root[@]}" apt-get update --quiet --quiet &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends valgrind; }; then
        printf 'valgrind is missing and cannot be installed, and instructions are not counted\n'
        exit 0
    fi
fi
cargo build --quiet --profile counts --package natspubsub-bench --no-default-features --bin counts
target/counts/counts instructions
