#!/usr/bin/env bash
# The branches of the pure decisions (how a delivery ends, when it comes again) that unit tests take. Needs cargo-llvm-cov
# (`cargo install cargo-llvm-cov`) and the component llvm-tools (`rustup component add llvm-tools`). Branch coverage is
# an unstable option of the compiler, which RUSTC_BOOTSTRAP lets a stable one take.
set -euo pipefail
cd "$(dirname "$0")/.."

RUSTC_BOOTSTRAP=1 cargo llvm-cov nextest --branch --package natspubsub --lib --json --summary-only \
    --output-path target/coverage.json >/dev/null 2>&1
python3 - <<'PY'
import json
for file in json.load(open("target/coverage.json"))["data"][0]["files"]:
    if file["filename"].endswith(("consume/settle.rs", "consume/retry.rs")):
        name = "consume/" + file["filename"].rsplit("/", 1)[1]
        for kind in ("branches", "lines", "regions"):
            found = file["summary"][kind]
            print(f"{name}: {found['covered']} of {found['count']} {kind}")
PY
