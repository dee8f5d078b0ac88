//! `fleet shim RUN_DIR`: what it promises about the processes of a run.

mod bench;
mod confined;
mod control;
mod ends;
mod starts;
