#!/usr/bin/env bash
# The branches of the pure decisions (how a delivery ends, when it comes again) that their unit tests take. Needs the
# component llvm-tools (`rustup component add llvm-tools`). Branch coverage is an unstable option of the compiler, which
# RUSTC_BOOTSTRAP lets a stable one take.
set -euo pipefail
cd "$(dirname "$0")/.."

tools="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin"
export CARGO_TARGET_DIR="$PWD/target/coverage" RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-C instrument-coverage -Z coverage-options=branch" LLVM_PROFILE_FILE="$PWD/target/coverage/%p.profraw"
rm -f target/coverage/*.profraw
program=$(cargo test --quiet --package natspubsub --lib --no-run --message-format json |
    python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable")][-1])')
rm -f target/coverage/*.profraw
"$program" --quiet settle:: retry:: >/dev/null
"$tools/llvm-profdata" merge --sparse target/coverage/*.profraw --output target/coverage/merged.profdata
# The two files only: over the whole crate, llvm-cov of LLVM 22 crashes.
"$tools/llvm-cov" export -format=text -instr-profile target/coverage/merged.profdata "$program" \
    natspubsub/src/consume/settle.rs natspubsub/src/consume/retry.rs >target/coverage/branches.json
python3 - <<'PY'
import json
for file in json.load(open("target/coverage/branches.json"))["data"][0]["files"]:
    name = file["filename"]
    if not name.endswith(("consume/settle.rs", "consume/retry.rs")):
        continue
    lines = open(name).read().split("\n")
    tests = lines.index("mod tests {") + 1
    # A branch has a count for each of its two sides; a segment that is not entered begins a region that no test runs.
    sides = [side for branch in file["branches"] if branch[0] < tests for side in branch[4:6]]
    regions = [segment for segment in file["segments"] if segment[0] < tests and segment[3] and segment[4]]
    print(
        f"consume/{name.rsplit('/', 1)[1]}, without its tests:",
        f"{sum(side > 0 for side in sides)} of {len(sides)} sides of branches,",
        f"{sum(segment[2] > 0 for segment in regions)} of {len(regions)} regions (arms of a match are regions)",
    )
PY
