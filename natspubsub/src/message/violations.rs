//! The rules of payload types, and what breaks them.

use std::fmt;

/// As many fields are named one by one.
const FIELDS_MAX: usize = 16;

/// A path is cut here: the keys of a map may be long.
const PATH_BYTES_MAX: usize = 128;

/// The fields of a value that break its rules: their paths, never their values.
///
/// ```
/// use natspubsub::Violations;
/// let violations = Violations::of(["total", "lines[0].sku"]);
/// assert_eq!(violations.to_string(), "rules are broken at total, lines[0].sku");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    fields: Vec<String>,
    more: usize,
}

impl Violations {
    /// Of fields with these paths.
    ///
    /// ```
    /// assert_eq!(natspubsub::Violations::of(["total"]).fields(), ["total"]);
    /// ```
    pub fn of(paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut paths = paths.into_iter();
        let fields = paths.by_ref().take(FIELDS_MAX).map(|path| cut(path.into())).collect();
        Self { fields, more: paths.count() }
    }

    /// The paths, at most 16 of them.
    ///
    /// ```
    /// let many = natspubsub::Violations::of((0..100).map(|line| format!("lines[{line}]")));
    /// assert_eq!(many.fields().len(), 16);
    /// ```
    pub fn fields(&self) -> &[String] {
        &self.fields
    }
}

fn cut(mut path: String) -> String {
    path.retain(|c| !c.is_control());
    if path.len() > PATH_BYTES_MAX {
        let end = (0..=PATH_BYTES_MAX).rev().find(|end| path.is_char_boundary(*end)).unwrap_or(0);
        path.truncate(end);
        path.push('…');
    }
    // The value itself, not one of its fields.
    if path.is_empty() { "the value as a whole".to_owned() } else { path }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rules are broken at {}", self.fields.join(", "))?;
        if self.more > 0 { write!(f, " and {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for Violations {}

/// A type whose values have rules: one that derives `garde::Validate`, with the feature `garde`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no rules that could be checked",
    label = "no rules",
    note = "derive `garde::Validate` for `{Self}`, with a context that implements `Default`, and switch on the feature `garde` of natspubsub"
)]
pub trait Rules {
    /// Checks the rules.
    ///
    /// # Errors
    /// The fields that break them.
    fn check(&self) -> Result<(), Violations>;
}

#[cfg(feature = "garde")]
impl<T: garde::Validate> Rules for T
where
    T::Context: Default,
{
    fn check(&self) -> Result<(), Violations> {
        // What a rule says may quote the value.
        self.validate().map_err(|report| Violations::of(report.iter().map(|(path, _)| path.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_few_and_short_and_on_one_line() {
        let long = "é".repeat(PATH_BYTES_MAX);
        let text = Violations::of([long.as_str(), "", "a\nb"]).to_string();
        assert!(text.len() < PATH_BYTES_MAX + 64 && text.ends_with("…, the value as a whole, ab"), "{text}");
        let many = Violations::of((0..20).map(|line| line.to_string()));
        assert!(many.to_string().ends_with("14, 15 and 4 more"), "{many}");
    }

    #[cfg(feature = "garde")]
    #[test]
    fn a_rule_names_its_field_and_no_value() {
        fn no_sku(value: &str, _: &()) -> garde::Result {
            Err(garde::Error::new(format!("not a sku: {value}")))
        }

        #[derive(garde::Validate)]
        struct Order {
            #[garde(custom(no_sku))]
            sku: String,
            #[garde(range(min = 0.0))]
            total: f64,
        }
        let order = Order { sku: "hunter2".into(), total: -1.0 };
        assert_eq!(Rules::check(&order).unwrap_err().to_string(), "rules are broken at sku, total");
    }
}
