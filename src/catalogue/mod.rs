//! The profiles there are: project, user, built in; a nearer one overrides.

mod builtin;
mod load;

pub(crate) use load::{CatalogueError, Entry, Folders, Source, load};
