//! All processes of one launch, wherever they went.
//!
//! While the shim lives it is their subreaper, so all that descend from it are found by their parents, also those that
//! made a session of their own. What carries the launch token is found as well, and so is what is in the run's control
//! group where there is one, and these two are all there is to go by once the shim was killed.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use rustix::process::Signal;

use super::{
    Token,
    cgroup::Group,
    identity::{Identity, Liveness},
    process::{Process, ProcessState},
};

/// Where to look for a launch's processes.
#[derive(Debug)]
pub(super) struct Tree {
    /// The living shim; it is above the tree, not in it.
    shim: Option<i32>,
    /// The agent, for when its parent is dead.
    agent: Option<Identity>,
    token: Token,
    /// Nothing that was started earlier can be part of it.
    since: u64,
    group: Option<Group>,
    /// Pid and start of what was seen of it before: without a shim, the end of a parent cuts the only link to a child.
    known: HashSet<(i32, u64)>,
}

impl Tree {
    /// The tree below this process, which is a shim that was started at `since`.
    pub(super) fn below(shim: &Identity, group: Option<Group>) -> Self {
        Self {
            shim: Some(shim.pid),
            agent: None,
            group,
            token: shim.token.clone(),
            since: shim.started,
            known: HashSet::new(),
        }
    }

    /// What is left of the tree of a dead shim.
    pub(super) fn orphaned(shim: &Identity, agent: Option<Identity>, group: Option<Group>) -> Self {
        let group = group.filter(|group| group.is_of(&shim.token));
        Self { shim: None, agent, group, token: shim.token.clone(), since: shim.started, known: HashSet::new() }
    }

    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// Its processes that have not ended. A snapshot: what forks meanwhile may be missing.
    pub(super) fn members(&mut self) -> io::Result<Vec<Process>> {
        let agent = match self.agent.as_ref().map(Identity::liveness) {
            Some(Liveness::Alive(process)) => Some(process.pid),
            Some(Liveness::Dead) | None => None,
            Some(Liveness::Unknown(why)) => return Err(io::Error::other(why)),
        };
        let me = i32::try_from(std::process::id()).ok();
        let listed = self.group.as_ref().map(Group::pids).unwrap_or_default();
        let all = Process::all()?;
        let members = select(&all, |process| {
            if Some(process.pid) == me || Some(process.pid) == self.shim {
                return Claim::Outside;
            }
            let ours = Some(process.pid) == agent
                || Some(process.parent) == self.shim
                || listed.contains(&process.pid)
                || self.known.contains(&(process.pid, process.started))
                || (process.started >= self.since && process.carries(&self.token));
            if ours { Claim::Root } else { Claim::ByParent }
        });
        if self.shim.is_none() {
            self.known.extend(members.iter().map(|process| (process.pid, process.started)));
        }
        Ok(members)
    }

    /// Signals all of it once. Gives the processes that were reached; one that may not be signalled is left out.
    pub(super) fn signal(&mut self, signal: Signal) -> io::Result<Vec<Process>> {
        let mut reached = self.members()?;
        reached.retain(|process| process.signal(signal).unwrap_or(false));
        Ok(reached)
    }

    /// Asks all of it to end, and wakes it: what is stopped, or about to be, could not hear otherwise.
    pub(super) fn ask_to_end(&mut self) -> io::Result<()> {
        let asked = self.signal(Signal::TERM)?;
        if let Some(group) = &self.group {
            group.thaw();
        }
        for process in asked {
            process.signal(Signal::CONT)?;
        }
        Ok(())
    }

    /// Ends all of it by force, as far as it is there now. Gives what was there.
    pub(super) fn kill(&mut self) -> io::Result<Vec<Process>> {
        let left = self.members()?;
        let group = self.group.as_ref();
        // What the kernel ends at once cannot fork meanwhile; failing that, what stands still cannot.
        let frozen = group.is_some_and(|group| !group.kill() && group.freeze());
        let ended = left.iter().try_for_each(|process| process.signal(Signal::KILL).map(drop));
        if let (true, Some(group)) = (frozen, group) {
            group.thaw();
        }
        ended.map(|()| left)
    }

    /// Stops all of it. A group stands still meanwhile, so that nothing of it forks while its processes are told.
    pub(super) fn freeze(&mut self) -> io::Result<()> {
        let mut told = HashSet::new();
        if self.group.as_ref().is_some_and(Group::freeze) {
            let stopped = self.stop(&mut told);
            if let Some(group) = &self.group {
                group.thaw();
            }
            stopped?;
        }
        self.stop(&mut told)
    }

    /// Stops what has not been told yet: looks again until nothing new is there, as what was not yet stopped may have
    /// forked.
    fn stop(&mut self, told: &mut HashSet<(i32, u64)>) -> io::Result<()> {
        const ROUNDS: u32 = 64;
        for _ in 0..ROUNDS {
            let mut fresh = self.members()?;
            fresh.retain(|process| told.insert((process.pid, process.started)));
            if fresh.is_empty() {
                return Ok(());
            }
            for process in fresh {
                process.signal(Signal::STOP)?;
            }
        }
        Err(io::Error::other("it forks faster than it can be stopped"))
    }

    /// Lets what was stopped go on.
    pub(super) fn thaw(&mut self) -> io::Result<()> {
        if let Some(group) = &self.group {
            group.thaw();
        }
        self.signal(Signal::CONT).map(drop)
    }
}

/// What is known of a process without looking at its parents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Root,
    /// Ours if its parent is.
    ByParent,
    /// Neither it nor, through it, its children.
    Outside,
}

/// All living processes that are claimed or descend from one that is, the oldest first: an agent then hears a signal
/// before it hears of its children's end.
fn select(all: &[Process], claim: impl Fn(&Process) -> Claim) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
    let mut pending = Vec::new();
    for process in all {
        match claim(process) {
            Claim::Root => pending.push(process),
            Claim::ByParent => children.entry(process.parent).or_default().push(process),
            Claim::Outside => {}
        }
    }
    let mut found = Vec::new();
    while let Some(process) = pending.pop() {
        // Taken out so that a parent pid that was recycled within the snapshot cannot make a circle.
        pending.extend(children.remove(&process.pid).into_iter().flatten());
        if process.state != ProcessState::Ended {
            found.push(*process);
        }
    }
    found.sort_unstable_by_key(|process| (process.started, process.pid));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, started: 0, state: ProcessState::Live }
    }

    fn pids(all: &[Process], roots: &[i32], outside: &[i32]) -> Vec<i32> {
        select(all, |process| match process.pid {
            pid if roots.contains(&pid) => Claim::Root,
            pid if outside.contains(&pid) => Claim::Outside,
            _ => Claim::ByParent,
        })
        .iter()
        .map(|process| process.pid)
        .collect()
    }

    #[test]
    fn descendants_of_a_root_belong_and_others_do_not() {
        let all = [process(1, 0), process(10, 1), process(11, 10), process(12, 11), process(20, 1), process(21, 20)];
        assert_eq!(pids(&all, &[10], &[]), [10, 11, 12]);
        assert_eq!(pids(&all, &[10, 12, 21], &[]), [10, 11, 12, 21]);
        assert_eq!(pids(&all, &[], &[]), [] as [i32; 0]);
    }

    #[test]
    fn the_shim_itself_is_outside_although_its_children_belong() {
        let all = [process(5, 1), process(6, 5), process(7, 6)];
        assert_eq!(pids(&all, &[6], &[5]), [6, 7]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let all = [process(10, 11), process(11, 10)];
        assert_eq!(pids(&all, &[10], &[]), [10, 11]);
    }

    #[test]
    fn what_has_ended_is_left_out_but_what_hangs_below_it_is_not() {
        let all = [Process { state: ProcessState::Ended, ..process(10, 1) }, process(11, 10)];
        assert_eq!(pids(&all, &[10], &[]), [11]);
    }
}
