//! What stands between an agent and the rest: secrets, names, modes, and a repository that an agent could have altered.

mod canary;
mod modes;
mod names;
mod secrets;
mod traps;
