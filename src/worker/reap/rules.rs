//! Which leftover goes: decided by what it is and by who may be at it.

use crate::workspace::Kind;

/// Who may be at something that belongs to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A run is at it, or is about to be.
    AtWork,
    /// Another runner works on this queue; what is left is its to clear.
    Elsewhere,
    /// The job is known, and nobody holds it.
    Nobody,
    /// No such job is known here.
    Unknown(Processes),
}

/// Whether processes of the job's runs live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processes {
    Gone,
    /// Or it cannot be told.
    Alive,
}

/// What becomes of a leftover, and why: a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Goes(&'static str),
    Stays(&'static str),
}

pub(super) fn judge(kind: &Kind, owner: Owner) -> Verdict {
    use Verdict::{Goes, Stays};
    match (kind, owner) {
        (Kind::Foreign, _) => Stays("it is no workspace of fleet's; what is yours, move elsewhere"),
        (Kind::Trash { ours: true }, _) => Stays("it is being deleted"),
        (_, Owner::Elsewhere) => Stays("a runner works on this queue, and clears what is left by itself"),
        (Kind::Trash { ours: false }, _) => Goes("its work is saved; a runner died while it deleted it"),
        (_, Owner::AtWork) => Stays("a run is at it"),
        (_, Owner::Unknown(Processes::Alive)) => Stays("its job is not known here, and its processes live"),
        (Kind::HalfMade(_), Owner::Nobody | Owner::Unknown(Processes::Gone)) => {
            Goes("a runner died while it made it; no agent has worked in it")
        }
        (Kind::Workspace(_), Owner::Nobody) => Goes("no run is at it, and its work is under a ref"),
        (Kind::Workspace(_), Owner::Unknown(Processes::Gone)) => {
            Goes("its job is not known here, and its work is under a ref")
        }
    }
}

#[cfg(test)]
mod tests {
    use fleet_protocol::JobId;

    use super::*;

    #[test]
    fn what_somebody_may_be_at_stays_whatever_it_is() {
        let job = JobId::from_random(1);
        for kind in [Kind::Workspace(job.clone()), Kind::HalfMade(job)] {
            for owner in [Owner::AtWork, Owner::Elsewhere, Owner::Unknown(Processes::Alive)] {
                assert!(matches!(judge(&kind, owner), Verdict::Stays(_)), "{kind:?} {owner:?}");
            }
            for owner in [Owner::Nobody, Owner::Unknown(Processes::Gone)] {
                assert!(matches!(judge(&kind, owner), Verdict::Goes(_)), "{kind:?} {owner:?}");
            }
        }
    }

    #[test]
    fn what_is_not_fleet_s_always_stays_and_trash_goes_by_whoever_comes_next() {
        for owner in [Owner::AtWork, Owner::Elsewhere, Owner::Nobody, Owner::Unknown(Processes::Gone)] {
            assert!(matches!(judge(&Kind::Foreign, owner), Verdict::Stays(_)), "{owner:?}");
            assert!(matches!(judge(&Kind::Trash { ours: true }, owner), Verdict::Stays(_)), "{owner:?}");
        }
        assert!(matches!(judge(&Kind::Trash { ours: false }, Owner::Nobody), Verdict::Goes(_)));
        assert!(matches!(judge(&Kind::Trash { ours: false }, Owner::Elsewhere), Verdict::Stays(_)));
    }
}
