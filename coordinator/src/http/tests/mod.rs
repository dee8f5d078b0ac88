//! The API as its callers meet it, through the router, on a file and in memory.

mod claims;
mod fixture;
mod holders;
mod idempotency;
mod output;
mod processes;
mod projects;
mod refusals;
mod retention;
mod secrets;
mod submits;
mod turns;
mod upkeep;
mod views;
