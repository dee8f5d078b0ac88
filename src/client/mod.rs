//! The one way to the coordinator, for every verb, the worker, the folder and the dashboard.
//!
//! The transport is the coordinator's own router, called in this process. (A transport over the network joins it
//! without any caller changing.)

mod calls;
mod transport;

pub(crate) use calls::{ClaimAnswer, Client};
