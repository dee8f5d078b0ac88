//! Arithmetic of usage beyond adding.

use fleet_protocol::job::{Basis, Usage};

/// What a total has grown by since `before`; never below zero. Engines that continue a session report the session's
/// totals, runs are charged for their own part.
pub(super) fn since(total: Usage, before: &Usage) -> Usage {
    Usage {
        input_tokens: total.input_tokens.saturating_sub(before.input_tokens),
        cached_input_tokens: total.cached_input_tokens.saturating_sub(before.cached_input_tokens),
        output_tokens: total.output_tokens.saturating_sub(before.output_tokens),
        cost_usd: total.cost_usd.map(|cost| (cost - before.cost_usd.unwrap_or(0.0)).max(0.0)),
        turns: total.turns,
        basis: total.basis,
    }
}

/// A price in dollars as an engine tells it; none where it is no price. Sums of such prices stay numbers.
pub(super) fn price(told: Option<f64>) -> Option<f64> {
    told.filter(|price| (0.0..1e9).contains(price))
}

/// Nothing used, and known to be so.
pub(super) const ZERO: Usage = Usage { basis: Basis::Measured, ..Usage::UNKNOWN };
