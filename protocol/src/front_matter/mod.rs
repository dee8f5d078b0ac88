//! Front matter: the YAML block at the top of a markdown file, read with the line and column of everything in it.
//!
//! `split` finds the block, `tree` and `json` make one small tree out of YAML or JSON, `reader` takes typed values from
//! the tree and collects what is wrong with them. What the keys mean is not known here: task files and profiles are
//! built on top.

mod json;
mod mistake;
mod reader;
mod scan;
mod split;
mod tree;

pub(crate) use json::{camel_case, entries_from_json, kebab_case, node_from_json, to_json};
pub use mistake::{Mistake, Mistakes, Warning};
pub(crate) use reader::{Fault, Form, Reader, shown, unknown_key};
pub(crate) use scan::entries_from_yaml;
pub(crate) use split::split;
pub(crate) use tree::{At, Content, Entry, Key, Node};
