//! The grammar of natspubsub: subjects, durations, sizes, rates and names.
//!
//! The macros use this crate at compile time and the runtime uses it at start, so that one rule is never
//! written twice. It has no dependencies and does no I/O.
//!
//! ```
//! use natspubsub_grammar::Pattern;
//!
//! let pattern = Pattern::topic("order.*").unwrap();
//! assert!(pattern.matches("order.created"));
//! assert!(!pattern.matches("order.created.eu"));
//! ```

mod backoff;
mod delivers;
mod duration;
mod fault;
mod measure;
mod name;
mod parse;
mod pattern;
mod relate;
mod specificity;
mod token;

pub use backoff::{Backoff, BackoffFault};
pub use delivers::delivers;
pub use duration::{DurationFault, format_duration, parse_duration};
pub use fault::{Fault, FaultKind};
pub use measure::{MeasureFault, Rate, check_instant, parse_rate, parse_size};
pub use name::{NAME_LENGTH_MAX, NameFault, check_name, encode_name, encode_pattern};
pub use parse::{SUBJECT_LENGTH_MAX, TOKENS_MAX, check_subject, normalize_topic};
pub use pattern::{Pattern, Token};
pub use specificity::Specificity;
pub use token::{decode_token, encode_token};
