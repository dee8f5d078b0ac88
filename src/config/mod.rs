//! What the user configured, and where each value came from.
//!
//! Four layers, the later wins: built-in default, file, environment, flag. One table of keys ([`keys`]) names each
//! setting with its type, its variable and its flag; reading, `fleet config`, the reference in `docs/` and the hints for
//! misspelt keys all follow it. Every mistake of every layer is reported at once. Nothing here acts on a value.

mod document;
pub(crate) mod env;
pub(crate) mod keys;
mod layers;
mod mistake;
mod model;
mod origin;
mod place;
mod projects;
mod resolve;
mod search;
mod secret;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use env::Environment;
pub(crate) use layers::{Entry, Overrides};
pub(crate) use mistake::{ConfigError, Excerpt, Warning};
pub(crate) use model::{Config, LogFormat};
pub(crate) use origin::Origin;
pub(crate) use place::{Place, git_root};
pub(crate) use resolve::{Mode, Request, resolve};
pub(crate) use secret::{Audience, Secret, SecretSource};
pub(crate) use template::TEMPLATE;
