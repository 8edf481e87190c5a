//! Windows that one person had open at the same time.

use std::collections::BTreeMap;

use jit_core::time::Utc;
use jit_proto::words::RoleName;

use crate::period::Period;
use crate::rows::{Access, Duty};

/// Where a window begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Begins,
    Ends,
}

/// Sweeps over the windows of each person, as far as they lie in the period.
pub(crate) fn held_at_once(rows: &[Access], period: Period, as_of: Option<Utc>) -> Vec<Duty> {
    let mut people: BTreeMap<&str, Vec<(Utc, Turn, usize)>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let (Some(opened), Some(end)) = (row.opened, row.ended.or(as_of)) else { continue };
        let begin = period.since.map_or(opened, |since| since.max(opened));
        let end = as_of.map_or(end, |last| last.min(end));
        if begin < end {
            let turns = people.entry(&row.person).or_default();
            turns.extend([(begin, Turn::Begins, index), (end, Turn::Ends, index)]);
        }
    }
    let mut duties = Vec::new();
    for (person, mut turns) in people {
        turns.sort();
        duties.extend(sweep(person, &turns, rows));
    }
    duties
}

fn sweep(person: &str, turns: &[(Utc, Turn, usize)], rows: &[Access]) -> Vec<Duty> {
    let mut held: BTreeMap<Vec<RoleName>, Duty> = BTreeMap::new();
    let mut open: Vec<usize> = Vec::new();
    let mut before = None;
    let mut last: Option<Vec<RoleName>> = None;
    for (at, turn, index) in turns {
        if let Some(since) = before.filter(|since| since < at) {
            let mut roles: Vec<_> = open.iter().map(|index| rows[*index].role.clone()).collect();
            roles.sort();
            if roles.len() > 1 {
                let duty = held.entry(roles.clone()).or_insert_with(|| Duty {
                    person: person.to_owned(),
                    roles: roles.clone(),
                    seconds: 0,
                    first: since,
                    times: 0,
                });
                duty.seconds += at.since(since).as_secs();
                // Another window of the same roles takes over: that is the same time.
                duty.times += u64::from(last.as_ref() != Some(&roles));
            }
            last = Some(roles);
        }
        match turn {
            Turn::Begins => open.push(*index),
            Turn::Ends => open.retain(|one| one != index),
        }
        before = Some(*at);
    }
    held.into_values().collect()
}
