//! Programs that run their PAM stack as an account of their own: which account may ask about others, and where.

use std::fmt;

use jit_proto::words::{ServiceName, UserName, subject_is_caller};

use crate::services::Services;

/// `[[asker]]`: whatever runs as this account may ask about anybody at these services. It is never root, which may ask
/// about anybody anyway, and names at least one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asker {
    account: UserName,
    services: Services,
}

/// Why an account cannot ask about others at these services.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAsker {
    /// Root asks anyway.
    #[error("root asks about anybody without this, and nobody else may be root here")]
    Root,
    /// It would be allowed nothing.
    #[error("it names no service")]
    NoService,
    /// At this one the kernel says who calls, and no program does.
    #[error(
        "`{0}` is about whoever calls it, which the kernel tells: no other program asks there for somebody"
    )]
    Caller(ServiceName),
}

impl Asker {
    /// An account that may ask about anybody at these services.
    pub fn new(account: UserName, services: Services) -> Result<Self, BadAsker> {
        if account.as_str() == "root" {
            return Err(BadAsker::Root);
        }
        if services.is_empty() {
            return Err(BadAsker::NoService);
        }
        match services.iter().find(|service| subject_is_caller(service)) {
            Some(service) => Err(BadAsker::Caller(service.clone())),
            None => Ok(Self { account, services }),
        }
    }

    /// The account that asks. Which uid that is, this host's own files say.
    #[must_use]
    pub const fn account(&self) -> &UserName {
        &self.account
    }

    /// Where it may.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }
}

/// `postgres for postgresql`.
impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<String> = self.services.iter().map(ToString::to_string).collect();
        write!(f, "{} for {}", self.account, services.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asker_is_never_root_names_a_service_and_none_that_is_about_its_caller() {
        let new = |account: &str, services: &[&str]| {
            let services = services.iter().map(|name| name.parse::<ServiceName>().unwrap()).collect();
            Asker::new(account.parse().unwrap(), services)
        };
        assert_eq!(new("postgres", &["postgresql"]).unwrap().to_string(), "postgres for postgresql");
        assert_eq!(new("root", &["postgresql"]), Err(BadAsker::Root));
        assert_eq!(new("postgres", &[]), Err(BadAsker::NoService));
        for service in ["su", "su-l", "sudo", "sudo-i", "sudo-backup"] {
            assert_eq!(
                new("postgres", &["postgresql", service]),
                Err(BadAsker::Caller(service.parse().unwrap())),
                "{service}"
            );
        }
    }
}
