//! The API as its callers meet it, through the router, on a file and in memory.

mod claims;
mod fixture;
mod holders;
mod idempotency;
mod output;
mod processes;
mod refusals;
mod submits;
mod upkeep;
mod views;
