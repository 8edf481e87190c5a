//! Somebody and some place, of those that a policy names.

use std::net::IpAddr;

use jit_core::policy::{Network, Subject, Who};

/// Up to so many people of a set: its accounts, then members of its first group.
pub(crate) fn people(who: &Who, uid: u32, count: usize) -> Vec<Subject> {
    let group = who.groups.first();
    let named = who.users.iter().cloned();
    let member = |n: usize| format!("member-{uid}-{n}").parse().unwrap();
    let members = group.into_iter().flat_map(|_| (0..count).map(member));
    let subject = |(name, uid): (_, u32)| Subject {
        groups: group.into_iter().chain(&who.all).cloned().collect(),
        ..Subject::named(name, uid.try_into().unwrap())
    };
    let all = named.chain(members).zip(uid..).map(subject);
    all.filter(|subject| who.contains(subject)).take(count).collect()
}

/// An address of a network.
pub(crate) fn base(network: &Network) -> Option<IpAddr> {
    network.to_string().split('/').next()?.parse().ok()
}
