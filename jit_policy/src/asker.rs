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
    end_as: Option<UserName>,
}

/// Why an account cannot ask about others at these services.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAsker {
    /// Root asks anyway.
    #[error("root asks about anybody without this, and nobody else may be root here")]
    Root,
    /// A site's program would run as root.
    #[error("no program of a site's runs as root; name the account that may end logins there")]
    EndsAsRoot,
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
    pub fn new(account: UserName, services: Services, end_as: Option<UserName>) -> Result<Self, BadAsker> {
        if account.as_str() == "root" {
            return Err(BadAsker::Root);
        }
        if end_as.as_ref().is_some_and(|account| account.as_str() == "root") {
            return Err(BadAsker::EndsAsRoot);
        }
        if services.is_empty() {
            return Err(BadAsker::NoService);
        }
        match services.iter().find(|service| subject_is_caller(service)) {
            Some(service) => Err(BadAsker::Caller(service.clone())),
            None => Ok(Self { account, services, end_as }),
        }
    }

    /// The account that asks. Which uid that is, this host's own files say.
    #[must_use]
    pub const fn account(&self) -> &UserName {
        &self.account
    }

    /// The account that a site's program runs as, which ends what logins at these services left when a window ends.
    #[must_use]
    pub const fn end_as(&self) -> Option<&UserName> {
        self.end_as.as_ref()
    }

    /// Where it may.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }
}

/// `postgres may ask about anybody at postgresql`, and as whom their end runs.
impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<String> = self.services.iter().map(ToString::to_string).collect();
        write!(f, "{} may ask about anybody at {}", self.account, services.join(", "))?;
        self.end_as.as_ref().map_or(Ok(()), |account| write!(f, ", whose end runs as {account}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asker_is_never_root_names_a_service_and_none_that_is_about_its_caller() {
        let new = |account: &str, services: &[&str]| {
            let services = services.iter().map(|name| name.parse::<ServiceName>().unwrap()).collect();
            Asker::new(account.parse().unwrap(), services, None)
        };
        let db: Services = ["postgresql".parse().unwrap()].into();
        let ends_as = |who: &str| Asker::new("postgres".parse().unwrap(), db.clone(), who.parse().ok());
        assert_eq!(ends_as("root"), Err(BadAsker::EndsAsRoot));
        assert_eq!(
            ends_as("dba").unwrap().to_string(),
            "postgres may ask about anybody at postgresql, whose end runs as dba"
        );
        assert_eq!(
            new("postgres", &["postgresql"]).unwrap().to_string(),
            "postgres may ask about anybody at postgresql"
        );
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
