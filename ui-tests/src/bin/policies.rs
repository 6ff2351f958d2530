#![deny(warnings)]
//! Error enums, error structs, enums without variants.

use natspubsub::FailureClass;
use natspubsub::prelude::*;

macro_rules! error {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
        impl std::error::Error for $name {}
    };
}

#[derive(Debug, HandlerError)]
pub enum Mixed {
    #[transient(after = "50ms, 250ms, 1m", jitter)]
    Throttled,
    #[infrastructure]
    Down,
    #[infrastructure(pause = "5s")]
    Offline {
        host: String,
    },
    Plain(u32),
}
error!(Mixed);

#[derive(Debug, HandlerError)]
#[permanent]
pub struct Never;
error!(Never);

#[derive(Debug, HandlerError)]
pub enum Impossible {}
error!(Impossible);

fn main() {
    assert_eq!(Never.policy(), FailureClass::Permanent);
    assert_eq!(Mixed::Plain(1).policy(), FailureClass::Transient { after: None });
    let offline = Mixed::Offline { host: String::new() };
    assert_eq!(offline.policy(), FailureClass::Infrastructure { pause: std::time::Duration::from_secs(5) });
    let FailureClass::TransientCurve { curve } = Mixed::Throttled.policy() else { panic!() };
    assert_eq!((curve.steps().len(), curve.has_jitter()), (3, true));
    let _ = Mixed::Down.policy();
}
