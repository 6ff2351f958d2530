//! One difference between a declaration and the server, for people and for programs.

use serde_json::{Value, json};

use crate::transport::AssetConfig;

/// Which kind of thing a change is about.
///
/// ```
/// assert_ne!(natspubsub::AssetKind::Stream, natspubsub::AssetKind::Consumer);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetKind {
    /// A stream.
    Stream,
    /// A consumer of a stream.
    Consumer,
}

impl AssetKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Consumer => "consumer",
        }
    }
}

/// What is to be done about a difference.
///
/// ```
/// # fn example(change: &natspubsub::Change) -> bool {
/// matches!(change.kind, natspubsub::ChangeKind::Create | natspubsub::ChangeKind::Update)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It does not exist, and is created.
    Create,
    /// The server changes it in place.
    Update,
    /// The server does not change it in place.
    Migrate {
        /// The consumer that takes its place, where the configuration says `migrate`.
        to: Option<String>,
    },
    /// It is not this application's, and differs.
    Foreign {
        /// The application that owns it; `None` when nobody says so.
        owner: Option<String>,
    },
}

/// One field that differs, in the words of the JetStream API: times in nanoseconds, sizes in bytes.
///
/// ```
/// # fn example(field: &natspubsub::FieldChange) {
/// println!("{}: {} -> {}", field.field, field.from, field.to);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FieldChange {
    /// The name of the field; keys of the metadata are `metadata.{key}`.
    pub field: String,
    /// What the server has; null when it has nothing.
    pub from: Value,
    /// What is declared; null when it must be absent.
    pub to: Value,
    /// Whether the server changes it in place.
    pub in_place: bool,
}

/// One stream or consumer that differs from its declaration.
///
/// `Display` is its line of the plan.
///
/// ```
/// # async fn example(app: &natspubsub::App) -> natspubsub::Result {
/// for change in app.plan().await?.changes() {
///     println!("{}", change.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// What it is.
    pub asset: AssetKind,
    /// `stream`, or `stream/consumer`.
    pub name: String,
    /// What is to be done.
    pub kind: ChangeKind,
    /// The fields that differ; none of something that does not exist.
    pub fields: Vec<FieldChange>,
    /// The whole configuration as it would be written.
    pub(super) config: AssetConfig,
}

impl Change {
    /// The word for what is to be done.
    fn word(&self) -> &'static str {
        match self.kind {
            ChangeKind::Create => "create",
            ChangeKind::Update => "update",
            ChangeKind::Migrate { .. } => "migrate",
            ChangeKind::Foreign { .. } => "foreign",
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let field = |change: &FieldChange| json!({ "field": change.field, "from": change.from, "to": change.to, "in_place": change.in_place });
        let mut written = json!({
            "change": self.word(),
            "asset": self.asset.name(),
            "name": self.name,
            "fields": self.fields.iter().map(field).collect::<Vec<_>>(),
        });
        match &self.kind {
            ChangeKind::Create => written["config"] = json!(self.config),
            ChangeKind::Foreign { owner } => written["owner"] = json!(owner),
            ChangeKind::Migrate { to } => written["to"] = json!(to),
            ChangeKind::Update => {}
        }
        written
    }
}
