//! `check` and `explain` take a service and a user. Whoever has them the other way round is told so.

use std::path::Path;

use jit_proto::words::{ServiceName, UserName};

use crate::error::{Error, Failure};

/// The reason of a denial where no role names the service, which is no service then, perhaps.
pub(super) const NO_ROLE: &str = "no-role";

/// What to type, where what was given as the user is a service.
pub(super) fn hint(verb: &str, service: &ServiceName, user: &UserName) -> Option<String> {
    let meant: ServiceName = user.as_str().parse().ok()?;
    let whom: UserName = service.as_str().parse().ok()?;
    let is_service = meant.is_sudo()
        || meant.is_su()
        || matches!(meant.as_str(), "sshd" | "login")
        || Path::new("/etc/pam.d").join(meant.as_str()).is_file();
    is_service.then(|| format!("hint: did you swap them? type: jitctl {verb} {meant} {whom}"))
}

/// An answer, or why there is none with that hint where nobody of that name is here, or may not be asked about.
pub(super) fn hinted<T>(
    answer: Result<T, Failure>,
    verb: &str,
    service: &ServiceName,
    user: &UserName,
) -> Result<T, Failure> {
    answer.map_err(|mut failure| {
        if let Error::NotFound(text) | Error::NotPermitted(text) = &mut failure.error
            && let Some(hint) = hint(verb, service, user)
        {
            text.push('\n');
            text.push_str(&hint);
        }
        failure
    })
}

#[cfg(test)]
mod tests {
    use jit_proto::manager::Check;

    use crate::call::Call;
    use crate::error::Error;
    use crate::testing::*;

    fn call(service: &str, user: &str) -> Call {
        Call::Check {
            service: service.parse().unwrap(),
            user: user.parse().unwrap(),
            person: None,
            from: None,
        }
    }

    #[test]
    fn whoever_swaps_the_service_and_the_user_is_told_what_to_type() {
        let hint = "hint: did you swap them? type: jitctl check sshd maria\n";
        let no_role =
            Check { service: "maria".into(), user: "sshd".into(), reason: "no-role".into(), ..denied() };
        let ran = jitctl(&["check", "maria", "sshd"], &Script::answers(call("maria", "sshd"), &no_role));
        assert_eq!((ran.code, ran.err.as_str()), (1, hint));
        for error in
            [Error::NotFound("there is no account sshd".into()), Error::NotPermitted("not yours".into())]
        {
            let ran = jitctl(&["check", "maria", "sshd"], &Script::fails(call("maria", "sshd"), error));
            assert!(ran.err.ends_with(hint), "{}", ran.err);
        }
    }

    #[test]
    fn where_nothing_is_swapped_nothing_is_said() {
        let none = Error::NotFound("there is no account nina".into());
        let ran = jitctl(&["check", "sshd", "nina"], &Script::fails(call("sshd", "nina"), none));
        assert!(!ran.err.contains("swap"), "{}", ran.err);
        let no_role = Check { reason: "no-role".into(), ..denied() };
        let ran = jitctl(&["check", "sshd", "maria"], &Script::answers(call("sshd", "maria"), &no_role));
        assert_eq!(ran.err, "");
    }
}
