//! The names of the tables.

#[cfg(feature = "postgres")]
use std::borrow::Cow;

#[cfg(feature = "postgres")]
use sqlx::AssertSqlSafe;

use crate::error::{Error, ErrorKind, Result};

/// How names begin that are not prefixed otherwise; each name in the files under `migrations/` begins so.
const DEFAULT_PREFIX: &str = "natspubsub_";

/// With it the longest name, that of an index, still fits into the 63 bytes that PostgreSQL keeps.
const PREFIX_LENGTH_MAX: usize = 32;

/// What PostgreSQL keeps of a name.
const NAME_LENGTH_MAX: usize = 63;

/// What the tables are called after their prefix.
const OUTBOX: &str = "outbox";
const OUTBOX_LEADS: &str = "outbox_leads";
const OUTBOX_RELAYS: &str = "outbox_relays";
const INBOX: &str = "inbox";
const MIGRATIONS: &str = "migrations";

/// The names of the tables of an inbox and an outbox.
///
/// They begin with `natspubsub_`: `natspubsub_outbox`, `natspubsub_outbox_leads`, `natspubsub_outbox_relays`,
/// `natspubsub_inbox` and `natspubsub_migrations`. Two applications that share a database and not their tables have names
/// of their own.
///
/// ```
/// use natspubsub::store::Tables;
/// assert_eq!(Tables::default().outbox(), "natspubsub_outbox");
/// assert_eq!(Tables::prefixed("billing_")?.outbox(), "billing_outbox");
/// assert_eq!(Tables::default().in_schema("messaging")?.inbox(), "messaging.natspubsub_inbox");
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tables {
    schema: Option<String>,
    prefix: String,
}

impl Default for Tables {
    fn default() -> Self {
        Self { schema: None, prefix: DEFAULT_PREFIX.into() }
    }
}

impl Tables {
    /// Names that begin with something else than `natspubsub_`: a small letter or `_`, then small letters, digits and `_`,
    /// at most 32.
    ///
    /// ```
    /// assert!(natspubsub::store::Tables::prefixed("Billing-").is_err());
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for any other prefix.
    pub fn prefixed(prefix: &str) -> Result<Self> {
        check("the prefix of tables", prefix, PREFIX_LENGTH_MAX)?;
        Ok(Self { schema: None, prefix: prefix.into() })
    }

    /// The same names in a schema of PostgreSQL, at most 63 characters. SQLite has no schemas.
    ///
    /// ```
    /// let tables = natspubsub::store::Tables::prefixed("billing_")?.in_schema("messaging")?;
    /// assert_eq!(tables.outbox(), "messaging.billing_outbox");
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name with anything but small letters, digits and `_`.
    pub fn in_schema(self, schema: &str) -> Result<Self> {
        check("the schema of tables", schema, NAME_LENGTH_MAX)?;
        Ok(Self { schema: Some(schema.into()), ..self })
    }

    /// Messages that wait for a relay, and those that were sent.
    ///
    /// ```
    /// assert_eq!(natspubsub::store::Tables::default().outbox(), "natspubsub_outbox");
    /// ```
    pub fn outbox(&self) -> String {
        self.name(OUTBOX)
    }

    /// Which relay leads which shard.
    ///
    /// ```
    /// assert_eq!(natspubsub::store::Tables::default().outbox_leads(), "natspubsub_outbox_leads");
    /// ```
    pub fn outbox_leads(&self) -> String {
        self.name(OUTBOX_LEADS)
    }

    /// The relays that live.
    ///
    /// ```
    /// assert_eq!(natspubsub::store::Tables::default().outbox_relays(), "natspubsub_outbox_relays");
    /// ```
    pub fn outbox_relays(&self) -> String {
        self.name(OUTBOX_RELAYS)
    }

    /// What was handled.
    ///
    /// ```
    /// assert_eq!(natspubsub::store::Tables::default().inbox(), "natspubsub_inbox");
    /// ```
    pub fn inbox(&self) -> String {
        self.name(INBOX)
    }

    /// Which migrations ran.
    ///
    /// ```
    /// assert_eq!(natspubsub::store::Tables::default().migrations(), "natspubsub_migrations");
    /// ```
    pub fn migrations(&self) -> String {
        self.name(MIGRATIONS)
    }

    /// The schema of PostgreSQL that they lie in; without one, the first of the connection's `search_path`.
    ///
    /// ```
    /// assert_eq!(natspubsub::store::Tables::default().schema(), None);
    /// ```
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    fn name(&self, table: &str) -> String {
        let schema = self.schema.as_deref().map(|schema| format!("{schema}.")).unwrap_or_default();
        format!("{schema}{}{table}", self.prefix)
    }

    /// A statement that was written for the default names, with these.
    #[cfg(feature = "postgres")]
    pub(crate) fn sql(&self, sql: &'static str) -> AssertSqlSafe<Cow<'static, str>> {
        let is_default = self.schema.is_none() && self.prefix == DEFAULT_PREFIX;
        AssertSqlSafe(if is_default { Cow::Borrowed(sql) } else { Cow::Owned(self.rename(sql)) })
    }

    /// SQL that was written for the default names, with these. Indexes lie in the schema of their table and are named
    /// without it.
    pub(crate) fn rename(&self, sql: &str) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut renamed = String::with_capacity(sql.len());
        let mut rest = sql;
        while let Some(start) = rest.find(is_name) {
            let word = &rest[start..];
            let end = word.find(|c| !is_name(c)).unwrap_or(word.len());
            renamed.push_str(&rest[..start]);
            match word[..end].strip_prefix(DEFAULT_PREFIX) {
                Some(own @ (OUTBOX | OUTBOX_LEADS | OUTBOX_RELAYS | INBOX | MIGRATIONS)) => {
                    renamed.push_str(&self.name(own));
                }
                Some(own) => renamed.extend([&self.prefix, own]),
                None => renamed.push_str(&word[..end]),
            }
            rest = &word[end..];
        }
        renamed.push_str(rest);
        renamed
    }
}

fn check(what: &str, name: &str, length_max: usize) -> Result<()> {
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if begins_well && is_plain && name.len() <= length_max {
        return Ok(());
    }
    let text = format!(
        "{what} is {name:?}; use 1 to {length_max} small letters, digits and `_`, and no digit first, such as \"billing_\""
    );
    Err(Error::new(ErrorKind::Config, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_need_quotes_are_refused() {
        for name in ["", "1a", "Billing_", "a-b", "a b", "a;drop table x", "\u{e4}", "a\"", &"a".repeat(64)] {
            assert_eq!(Tables::prefixed(name).unwrap_err().kind(), &ErrorKind::Config, "{name:?}");
            assert_eq!(Tables::default().in_schema(name).unwrap_err().kind(), &ErrorKind::Config, "{name:?}");
        }
        assert!(Tables::prefixed("_").is_ok() && Tables::default().in_schema(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn whole_names_are_replaced_and_nothing_else() {
        let sql = "CREATE INDEX natspubsub_outbox_ready ON natspubsub_outbox (id); -- my_natspubsub_outbox, 'outbox'\n";
        assert_eq!(Tables::default().rename(sql), sql);
        assert_eq!(
            Tables::prefixed("b_").unwrap().in_schema("m").unwrap().rename(sql),
            "CREATE INDEX b_outbox_ready ON m.b_outbox (id); -- my_natspubsub_outbox, 'outbox'\n"
        );
    }
}
