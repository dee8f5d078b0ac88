//! Taking a job in: `read` makes sense of what was sent, `place` gives it its place in the store.

mod place;
mod read;

pub(crate) use place::Submitted;
pub(crate) use read::TaskText;
