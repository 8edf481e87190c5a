//! A text of any kind, and whether it concerns a host: what carriers and readers need to know before anything is verified.

use std::collections::BTreeSet;

use jit_proto::words::HostName;

use super::clock::ClockStatement;
use super::grant::GrantStatement;
use super::hosts::Hosts;
use super::kind::{Kind, SignedText};
use super::lines::BadText;
use super::lock::LockStatement;
use super::revoke::RevokeStatement;
use super::statement::{Signable, Statement};
use crate::policy::HostGroup;

/// Any of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyText {
    /// About a request that waits on a host.
    Review(Signable),
    /// A grant ahead of time.
    Grant(Box<GrantStatement>),
    /// The end of a grant or a request.
    Revoke(Box<RevokeStatement>),
    /// A lock on something.
    Lock(Box<LockStatement>),
    /// That a host's clock is right.
    Clock(Box<ClockStatement>),
}

impl SignedText for AnyText {
    fn kind(&self) -> Kind {
        match self {
            Self::Review(text) => text.kind(),
            Self::Grant(_) => Kind::Grant,
            Self::Revoke(_) => Kind::Revoke,
            Self::Lock(_) => Kind::Lock,
            Self::Clock(_) => Kind::Clock,
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        Ok(match Kind::of(bytes).ok_or(BadText::Version)? {
            Kind::Request | Kind::Review => Self::Review(Signable::parse(bytes)?),
            Kind::Grant => Self::Grant(Box::new(SignedText::parse(bytes)?)),
            Kind::Revoke => Self::Revoke(Box::new(SignedText::parse(bytes)?)),
            Kind::Lock => Self::Lock(Box::new(SignedText::parse(bytes)?)),
            Kind::Clock => Self::Clock(Box::new(SignedText::parse(bytes)?)),
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Review(text) => text.text(),
            Self::Grant(text) => text.text(),
            Self::Revoke(text) => text.text(),
            Self::Lock(text) => text.text(),
            Self::Clock(text) => text.text(),
        }
    }
}

/// What a file is, and whether it is for the host of this name and groups. `key` is the fingerprint of the host's key,
/// where that is known. Whether it counts there, the host alone can say.
pub fn concerns(
    bytes: &[u8],
    host: &HostName,
    groups: &BTreeSet<HostGroup>,
    key: Option<&str>,
) -> Result<(Kind, bool), BadText> {
    let text = AnyText::parse(bytes)?;
    let one = |name: &HostName, of: &str| name == host && key.is_none_or(|key| key == of);
    let among = |hosts: &Hosts, of: Option<&String>| {
        hosts.include(host, groups) && of.zip(key).is_none_or(|(of, key)| of == key)
    };
    let here = match &text {
        AnyText::Review(text) => {
            let Statement { host, host_key, .. } = text.says();
            one(&host, &host_key)
        }
        AnyText::Grant(text) => among(&text.hosts, text.host_key.as_ref()),
        AnyText::Revoke(text) => among(&text.hosts, text.host_key.as_ref()),
        AnyText::Lock(text) => among(&text.hosts, text.host_key.as_ref()),
        AnyText::Clock(text) => one(&text.host, &text.host_key),
    };
    Ok((text.kind(), here))
}
