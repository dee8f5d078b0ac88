//! Keeps secrets out of everything that leaves the run's folder: the values that this worker knows, and whatever has the
//! shape of a credential. What a secret is, is defined once, in the protocol.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use fleet_protocol::{api::PatchJob, secret};

/// One run's mask, shared by all that speak of it. `Debug` shows how many values it knows.
#[derive(Clone, Default)]
pub(super) struct Mask(Arc<OnceLock<secret::Mask>>);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.get() {
            Some(mask) => write!(f, "{mask:?}"),
            None => f.write_str("Mask(no values yet)"),
        }
    }
}

impl Mask {
    /// Sets the values, before anything that could hold one is written. The first call counts.
    pub(super) fn set(&self, values: &[String]) {
        // A second launch of the same run has the same secrets.
        drop(self.0.set(secret::Mask::new(values.iter().map(String::as_str))));
    }

    fn get(&self) -> Cow<'_, secret::Mask> {
        self.0.get().map_or_else(|| Cow::Owned(secret::Mask::default()), Cow::Borrowed)
    }

    /// A report without any secret.
    pub(super) fn report(&self, patch: PatchJob) -> PatchJob {
        patch.masked(&self.get())
    }

    /// Masks every secret in `bytes`, in place.
    pub(super) fn bytes(&self, bytes: &mut [u8]) {
        self.get().bytes(bytes);
    }

    /// The same text without any secret.
    pub(super) fn text(&self, text: &str) -> String {
        self.get().text(text)
    }

    /// Masks `bytes`, after which more will come; how many of them can be sent now.
    pub(super) fn growing(&self, bytes: &mut [u8]) -> usize {
        self.get().growing(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_masked_before_the_values_are_known_and_values_after_it() {
        let mask = Mask::default();
        let token = format!("gh{}_0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO", "p");
        assert_eq!(mask.text(&format!("{token} hunter2")), format!("ghp_{} hunter2", "*".repeat(36)));
        mask.set(&["hunter2".to_owned()]);
        assert_eq!(mask.text(&format!("{token} hunter2")), format!("ghp_{} *******", "*".repeat(36)));
        assert_eq!(format!("{mask:?}"), "Mask(1 values)");
    }
}
