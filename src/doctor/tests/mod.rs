//! A healthy machine, broken in one place at a time.

mod asking;
mod fails;
mod fixture;
mod warns;
