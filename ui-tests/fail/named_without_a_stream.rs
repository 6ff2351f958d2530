use natspubsub::prelude::*;

struct MatchStream;

fn main() {
    let _ = App::builder().stream(MatchStream);
}
