//! Landlock itself: which version the kernel has, and putting a thread under a policy.
//!
//! A domain belongs to a thread and is inherited by what the thread starts, so a process can start confined children and
//! stay free itself. Nobody can leave a domain again.

use std::thread;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{Policy, privileges};

/// The newest version whose rights are asked for; an older kernel is held to what it has. Version 9, which closes sockets
/// that lie in the file system, is newer than any kernel that this was tried on.
const NEWEST: ABI = ABI::V9;

/// What the kernel offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Support {
    /// Landlock, in this version.
    Landlock(u32),
    /// Why there is none.
    Missing(&'static str),
}

/// A thread could not be confined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    #[error("the kernel refuses the confinement")]
    Refused(#[from] RulesetError),
    #[error("the kernel does not confine: Landlock is not there")]
    NotThere,
    #[error("root's privileges cannot be given up")]
    Privileges(#[from] rustix::io::Errno),
    #[error("a confined thread broke")]
    Broke,
}

/// Asks the kernel, by confining a thread that does nothing else.
pub(crate) fn support() -> Support {
    match thread::spawn(|| restrict(&Policy::default())).join() {
        Ok(Ok(LandlockStatus::Available { effective_abi, .. })) => Support::Landlock(effective_abi as u32),
        Ok(Ok(LandlockStatus::NotEnabled)) => Support::Missing("Landlock is not enabled (boot with lsm=landlock,…)"),
        Ok(Ok(LandlockStatus::NotImplemented)) => Support::Missing("this kernel has no Landlock (it needs Linux 5.13)"),
        Ok(Err(_)) | Err(_) => Support::Missing("the kernel refuses to be asked for Landlock"),
    }
}

/// Holds this thread, and whatever it starts from now on, to the policy. Places that do not exist are left out.
pub(crate) fn confine_this_thread(policy: &Policy) -> Result<(), KernelError> {
    privileges::shed()?;
    match restrict(policy)? {
        LandlockStatus::Available { .. } => Ok(()),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => Err(KernelError::NotThere),
    }
}

fn restrict(policy: &Policy) -> Result<LandlockStatus, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(&policy.read, AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(&policy.write, writing()))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::NotEnforced => LandlockStatus::NotEnabled,
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => status.landlock,
    })
}

/// All but making devices: root could make the disk's in its workspace, and then open it.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::ErrorKind, path::PathBuf};

    fn confined<T: Send + 'static>(policy: Policy, act: impl FnOnce() -> T + Send + 'static) -> T {
        thread::spawn(move || {
            confine_this_thread(&policy).expect("this machine confines");
            act()
        })
        .join()
        .expect("the thread ends")
    }

    #[test]
    fn a_confined_thread_reaches_what_is_named_and_its_process_stays_free() {
        if let Support::Missing(why) = support() {
            eprintln!("NOT RUN: {why}");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| -> PathBuf { folder.path().join(name) };
        for name in ["open", "read", "closed"] {
            fs::create_dir(at(name)).expect("a folder");
            fs::write(at(name).join("file"), name).expect("a file");
        }
        let policy = Policy { read: vec![at("read"), at("missing")], write: vec![at("open")] };
        let kind = |ended: std::io::Result<()>| ended.err().map(|error| error.kind());
        let [open, read, closed] = ["open/file", "read/file", "closed/file"].map(at);
        let refused = confined(policy, {
            let closed = closed.clone();
            move || {
                [
                    kind(fs::write(open, "changed")),
                    kind(fs::read(&read).map(drop)),
                    kind(fs::write(read, "changed")),
                    kind(fs::read(&closed).map(drop)),
                    kind(fs::remove_file(closed)),
                ]
            }
        });
        let no = Some(ErrorKind::PermissionDenied);
        assert_eq!(refused, [None, None, no, no, no]);
        assert_eq!(fs::read_to_string(closed).expect("this process reads it"), "closed");
    }

    #[test]
    fn making_devices_is_never_allowed() {
        assert!(!writing().intersects(AccessFs::MakeChar | AccessFs::MakeBlock));
        assert!(writing().contains(AccessFs::from_write(ABI::V1) & !(AccessFs::MakeChar | AccessFs::MakeBlock)));
    }
}
