//! What moving a job's file from one bucket to another asks for.
//!
//! The table says what a move means; whether it is possible now is the job's own `actions`.

use fleet_protocol::{Action, Bucket, Stage};

/// The act that moving the file of a job in `stage` into `to` asks for.
pub(super) const fn requested(stage: Stage, to: Bucket) -> Option<Action> {
    match (stage, to) {
        (Stage::Review, Bucket::Testing) => Some(Action::Approve),
        (Stage::Review, Bucket::Inbox) => Some(Action::RequestChanges),
        (Stage::Review | Stage::Testing, Bucket::Failed) => Some(Action::Reject),
        (Stage::Testing, Bucket::Shipped) => Some(Action::Ship),
        (Stage::Failed, Bucket::Inbox) => Some(Action::Requeue),
        (Stage::DeadLetter, Bucket::Inbox) => Some(Action::Redrive),
        (Stage::Queued | Stage::Blocked | Stage::Assigned | Stage::Building | Stage::Waiting, Bucket::Failed) => {
            Some(Action::Cancel)
        }
        _ => None,
    }
}

/// The moves that a job's owner can ask for now.
pub(super) fn possible(stage: Stage, actions: &[Action]) -> Vec<(Bucket, Action)> {
    Bucket::ALL
        .iter()
        .filter_map(|to| requested(stage, *to).map(|action| (*to, action)))
        .filter(|(_, action)| actions.contains(action))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_move_has_its_act_and_no_other_has_one() {
        let documented = [
            (Bucket::Review, Bucket::Testing),
            (Bucket::Review, Bucket::Inbox),
            (Bucket::Review, Bucket::Failed),
            (Bucket::Testing, Bucket::Shipped),
            (Bucket::Testing, Bucket::Failed),
            (Bucket::Failed, Bucket::Inbox),
            (Bucket::Inbox, Bucket::Failed),
            (Bucket::Building, Bucket::Failed),
        ];
        for stage in Stage::ALL {
            for to in Bucket::ALL {
                let expected = documented.contains(&(stage.bucket(), *to));
                assert_eq!(requested(*stage, *to).is_some(), expected, "{stage} to {to}");
            }
        }
    }

    #[test]
    fn only_what_the_job_allows_now_is_offered() {
        let offered = possible(Stage::Review, &[Action::Approve, Action::Hold]);
        assert_eq!(offered, [(Bucket::Testing, Action::Approve)]);
    }
}
