//! Whether a program is to print what it would change instead of changing it.

/// The variable that asks for it.
pub(crate) const PLAN: &str = "NATSPUBSUB_PLAN";

/// In which form the plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanForm {
    Lines,
    Json,
}

/// What the environment asks for; an empty variable, `0` and `false` ask for nothing.
pub(crate) fn plan_asked() -> Option<PlanForm> {
    match std::env::var(PLAN).unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "0" | "false" => None,
        "json" => Some(PlanForm::Json),
        _ => Some(PlanForm::Lines),
    }
}
