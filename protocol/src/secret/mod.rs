//! Recognising secrets in text: to refuse what was written where no value belongs, and to mask what was printed.
//!
//! `token` and `phrase` know what credentials look like (one definition for both ends and both uses), `form` knows how a
//! value that is known may have been written down, `mask` puts asterisks in their place, byte for byte, so that offsets
//! stay what they are. All of it takes time in proportion to the text. It proves nothing about text that it lets pass.

mod find;
mod forge;
mod form;
mod mask;
mod phrase;
mod scan;
mod token;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

pub use find::{Found, find};
pub use forge::FORGE_TOKENS;
pub use mask::{Mask, SHORTEST};
pub use phrase::names_secret;
