//! `fleet debug`: how a run stands, down to its processes, and all that a bug report needs of it.

mod bundle;
mod diagnosis;
mod quotes;
mod shown;
mod tar;
mod verb;

pub(super) use verb::{Args, run};
