//! `fleet`: runs AI coding agents over a queue of tasks, and proves what they did.

fn main() {}
