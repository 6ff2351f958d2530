//! Durable names of the module that is compiled, so that a second one is refused where both are literals.
//!
//! A macro does not learn its module. What stands in the first column of one file is in one module, and only that is
//! compared: two modules of a test program may well declare two versions of one subscriber. Attributes of one crate are
//! expanded by one process, which this table relies on. Where that does not hold (an editor expands one function many
//! times) it stays silent. What it does not see, the start of the application refuses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;

use crate::attribute::Attribute;
use crate::faults::Faults;
use crate::written::Written;

/// Who claimed a durable, and where.
#[derive(Clone, PartialEq, Eq)]
struct Claim {
    function: String,
    line: usize,
}

/// The file, the attribute with the stream or application that is read, and the durable.
type Key = (String, String, String);

static CLAIMS: Mutex<Option<HashMap<Key, Claim>>> = Mutex::new(None);

/// Only the compiler runs one process for each crate.
fn is_compiler() -> bool {
    std::env::current_exe().ok().and_then(|path| Some(path.file_stem()?.to_str()?.contains("rust-analyzer")))
        == Some(false)
}

/// Reports a durable that another function of the module has.
pub(crate) fn claim(function: &Ident, attribute: Attribute, options: &Written, faults: &mut Faults) {
    let (Some(durable), Some(span)) = (options.text("durable"), options.value_span("durable")) else { return };
    if !proc_macro::is_available() || !is_compiler() {
        return;
    }
    let here = Span::call_site().unwrap();
    if here.column() != 1 {
        return;
    }
    let written = options.text("stream").or(options.text("app"));
    let scope = match attribute {
        // Which stream holds a subject is not known here.
        Attribute::SubjectSubscriber if written.is_none() => return,
        Attribute::DeadLetterHandler => "dead letters",
        _ => written.unwrap_or_default(),
    };
    let claim = Claim { function: function.unraw().to_string(), line: here.line() };
    let key = (here.file(), scope.to_owned(), durable.to_owned());
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    let first = claims.get_or_insert_default().entry(key).or_insert_with(|| claim.clone());
    // The same line again is a repeated expansion.
    if first.line != claim.line {
        let Claim { function: other, line } = first;
        let what = format!(
            "the durable \"{durable}\" belongs to `{other}` in line {line}, and each would get half of the messages"
        );
        let help = format!("give it a name of its own, such as `durable = \"{durable}-{}\"`", claim.function);
        faults.add(span, what, help);
    }
}
