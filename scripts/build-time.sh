#!/usr/bin/env bash
# Measures what the attributes add to the build time of a crate: 200 subscribers declared by the attribute against the
# same 200 written by hand, alternating in one run. Prints each pair and the ratio of the medians.
#
#   scripts/build-time.sh [subscribers] [pairs]
set -euo pipefail
cd "$(dirname "$0")/.."
count="${1:-200}" pairs="${2:-7}"
root="$PWD" work="$PWD/target/build-time"
mkdir -p "$work"

python3 - "$work" "$root" "$count" <<'PY'
import os, sys
work, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

PAYLOAD = """
#[derive(serde::Deserialize)]
pub struct Payload{n} {{ pub id: String, pub total: f64 }}
"""
BODY = """async fn handler{n}(payload: Payload{n}, ctx: Context) -> Result<(), std::io::Error> {{
    if payload.total < 0.0 {{
        return Err(std::io::Error::other(format!("{{}} of {{}}", payload.id, ctx.event_id())));
    }}
    Ok(())
}}
"""
BY_ATTRIBUTE = """
#[natspubsub::topic_subscriber("topic{n}.{{kind}}.created", concurrency = 4, backoff = "1s, 2s")]
""" + BODY.replace("ctx: Context)", "ctx: Context, kind: String)").replace("Ok(())", "let _ = kind; Ok(())", 1)
BY_HAND = """
""" + BODY.replace("ctx: Context)", "ctx: Context, kind: String)").replace("Ok(())", "let _ = kind; Ok(())", 1) + """
#[allow(non_camel_case_types)]
pub struct handler{n} {{}}
const _: () = {{
    const _: () = {{
        use NoTopic as _;
        assert!(can_deliver(TopicOf::<Payload{n}>::TOPIC, &["topic{n}.{{kind}}.created"]), "another topic");
    }};
    fn call(delivery: Delivery) -> CallFuture {{
        use {{ByError as _, ByNothing as _, ByPolicy as _}};
        fn returns<R: HandlerReturn>() {{}}
        returns::<Result<(), std::io::Error>>();
        Box::pin(require_send(async move {{
            let payload = match <Payload{n} as Payload>::from_body(&delivery) {{
                Ok(payload) => payload,
                Err(failure) => return Outcome::Failed(failure),
            }};
            let ctx = match <Context as FromDelivery>::from_delivery(&delivery).await {{
                Ok(ctx) => ctx,
                Err(failure) => return Outcome::Failed(failure),
            }};
            let kind = match captured::<String>(&delivery, "kind", &[Place {{ pattern: "topic{n}.{{kind}}.created", token: 1, tail: false }}]) {{
                Ok(kind) => kind,
                Err(failure) => return Outcome::Failed(failure),
            }};
            let returned = handler{n}(payload, ctx, kind).await;
            (&&&Probe::of(&returned)).conversion().outcome(returned)
        }}))
    }}
    static DESCRIPTOR: SubscriberDescriptor = SubscriberDescriptor {{
        origin: Origin {{ name: "handler{n}", module: module_path!(), crate_name: env!("CARGO_PKG_NAME"), file: file!(), line: line!() }},
        source: Source::Topic,
        patterns: &["topic{n}.{{kind}}.created"],
        options: SubscriberOptions {{ concurrency: Some(4), backoff_ns: Some(&[1_000_000_000, 2_000_000_000]), ..SubscriberOptions::UNWRITTEN }},
        payload: type_name::<Payload{n}>,
        requirements: || needed([<Context as FromDelivery>::requirement()]),
        call: Call::Each(call),
    }};
    impl Subscribe for handler{n} {{
        fn descriptor(&self) -> &'static SubscriberDescriptor {{ &DESCRIPTOR }}
    }}
    inventory::submit! {{ Registration::Subscriber(&DESCRIPTOR) }}
}};
"""
MANIFEST = """[package]
name = "{name}"
edition = "2024"

[dependencies]
natspubsub = {{ path = "{root}/natspubsub" }}
serde = {{ version = "1", features = ["derive"] }}

[workspace]
"""
HEADS = {
    "by-attribute": "#![allow(warnings)]\nuse natspubsub::Context;\n",
    "by-hand": "#![allow(warnings)]\nuse natspubsub::{Context, __private::*};\n",
}
for name, template in (("by-attribute", BY_ATTRIBUTE), ("by-hand", BY_HAND)):
    folder = os.path.join(work, name)
    os.makedirs(os.path.join(folder, "src"), exist_ok=True)
    code = HEADS[name] + "".join((PAYLOAD + template).format(n=n) for n in range(count))
    open(os.path.join(folder, "src", "lib.rs"), "w").write(code)
    open(os.path.join(folder, "Cargo.toml"), "w").write(MANIFEST.format(name=name, root=root))
    lock = os.path.join(folder, "Cargo.lock")
    if not os.path.exists(lock):
        open(lock, "w").write(open(os.path.join(root, "Cargo.lock")).read())
PY

export CARGO_TARGET_DIR="$work/target"
build() {
    touch "$work/$1/src/lib.rs"
    cargo build --quiet --offline --manifest-path "$work/$1/Cargo.toml"
}
build by-attribute
build by-hand

python3 - "$work" "$pairs" <<'PY'
import os, statistics, subprocess, sys, time
work, pairs = sys.argv[1], int(sys.argv[2])

def seconds(name):
    os.utime(os.path.join(work, name, "src", "lib.rs"))
    start = time.monotonic()
    manifest = os.path.join(work, name, "Cargo.toml")
    environment = dict(os.environ, CARGO_INCREMENTAL="0")
    subprocess.run(["cargo", "build", "--quiet", "--offline", "--manifest-path", manifest], check=True, env=environment)
    return time.monotonic() - start

seconds("by-hand"), seconds("by-attribute")
found = []
for pair in range(pairs):
    hand, attribute = seconds("by-hand"), seconds("by-attribute")
    found.append((hand, attribute))
    print(f"pair {pair + 1}: by hand {hand:.2f} s, by attribute {attribute:.2f} s, ratio {attribute / hand:.3f}")
ratios = sorted(attribute / hand for hand, attribute in found)
print(f"ratio: median {statistics.median(ratios):.3f}, least {ratios[0]:.3f}, most {ratios[-1]:.3f} (limit 1.15)")
sys.exit(0 if statistics.median(ratios) < 1.15 else 1)
PY
