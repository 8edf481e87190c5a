//! What runs, with the ways in which it is looked through: made once for each list, since a person may have tens of
//! thousands of processes and thousands of sessions.

use std::collections::{HashMap, HashSet};

use jit_core::model::{Leader, Unit};

use super::processes::Process;

/// A list of what runs.
pub(super) struct Index<'p> {
    pids: HashMap<u32, &'p Process>,
    children: HashMap<u32, Vec<&'p Process>>,
    units: HashMap<&'p Unit, Vec<&'p Process>>,
    audits: HashMap<u32, Vec<&'p Process>>,
}

impl<'p> Index<'p> {
    pub(super) fn of(all: &'p [Process]) -> Self {
        let mut index = Self {
            pids: HashMap::with_capacity(all.len()),
            children: HashMap::new(),
            units: HashMap::new(),
            audits: HashMap::new(),
        };
        for process in all {
            index.pids.insert(process.id.pid, process);
            index.children.entry(process.parent()).or_default().push(process);
            if let Some(unit) = &process.unit {
                index.units.entry(unit).or_default().push(process);
            }
            if let Some(audit) = process.audit {
                index.audits.entry(audit).or_default().push(process);
            }
        }
        index
    }

    /// This process, if it is still there.
    pub(super) fn get(&self, whom: Leader) -> Option<&'p Process> {
        self.pids.get(&whom.pid).copied().filter(|process| process.id == whom)
    }

    /// Those in a scope.
    pub(super) fn in_unit(&self, unit: &Unit) -> &[&'p Process] {
        self.units.get(unit).map_or(&[], Vec::as_slice)
    }

    /// Those of an audit session.
    pub(super) fn of_audit(&self, audit: u32) -> &[&'p Process] {
        self.audits.get(&audit).map_or(&[], Vec::as_slice)
    }

    /// Those that a process has started, itself first, by whatever generations are still there.
    pub(super) fn below(&self, leader: Leader) -> Vec<&'p Process> {
        let mut found: Vec<&Process> = self.get(leader).into_iter().collect();
        // A list is not made in one moment: in it two may be each other's parents.
        let mut known: HashSet<Leader> = found.iter().map(|process| process.id).collect();
        let mut next = 0;
        while let Some(parent) = found.get(next).map(|process| process.id) {
            let below = self.children.get(&parent.pid).into_iter().flatten();
            found.extend(below.filter(|child| child.id.start >= parent.start && known.insert(child.id)));
            next += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::processes::tests::process;

    fn with(pid: u32, parent: u32, start: u64) -> Process {
        let scope = "/user.slice/user-1.slice/session-1.scope";
        crate::session::processes::tests::among((pid, parent, start), scope, (1, None, None))
    }

    fn below(all: &[Process], leader: Leader) -> Vec<u32> {
        Index::of(all).below(leader).iter().map(|found| found.id.pid).collect()
    }

    #[test]
    fn what_a_process_started_is_found_by_its_parents_and_not_by_a_pid_that_came_later() {
        let all = [with(10, 1, 5), with(11, 10, 6), with(12, 11, 7), with(13, 1, 8), with(14, 10, 4)];
        assert_eq!(below(&all, Leader { pid: 10, start: 5 }), [10, 11, 12]);
        assert_eq!(below(&all, Leader { pid: 10, start: 3 }), [0_u32; 0], "that is another process by now");
    }

    #[test]
    fn those_who_seem_to_have_started_each_other_are_found_once() {
        let all = [with(10, 11, 5), with(11, 10, 5)];
        assert_eq!(below(&all, Leader { pid: 10, start: 5 }), [10, 11]);
    }

    #[test]
    fn a_chain_of_many_thousands_is_followed_to_its_end() {
        let all: Vec<Process> = (10..40_010).rev().map(|pid| with(pid, pid - 1, u64::from(pid))).collect();
        assert_eq!(below(&all, Leader { pid: 10, start: 10 }).len(), 40_000);
    }

    #[test]
    fn what_runs_is_found_by_its_scope_and_its_audit_session() {
        let mut one = with(10, 1, 5);
        one.audit = Some(5);
        let all = [one, process("/", 0, None)];
        let index = Index::of(&all);
        assert_eq!(index.in_unit(&"session-1.scope".parse().unwrap()).len(), 1);
        assert_eq!((index.of_audit(5).len(), index.of_audit(6).len()), (1, 0));
    }
}
