//! The one door: every route of `fleet_protocol::route`, as an axum router.
//!
//! - Input is taken strictly: unknown fields and wrong values are refused, all of them at once.
//! - Every answer that is an error has the one shape of `Problem`, whatever went wrong.
//! - A request with an idempotency key has its effect once and its answer as often as it is asked for.
//!
//! `strict` reads bodies, `input` everything else of a request, `answer` writes answers, `routes` is the list.

mod answer;
mod input;
mod routes;
mod strict;

#[cfg(test)]
mod tests;

pub(crate) use routes::router;
