//! Whether a refusal at the session stage keeps somebody out: what the PAM file of a service does with it.
//!
//! libpam goes on to the next line after most answers. A refusal holds, and nothing of the person's is started before it is
//! given, only where the module's line ends the stack and no line before it can lead past it or opens the session itself.

use std::path::Path;

use crate::pam::{Folders, Line, Stack, Stage, What, is_logind, is_module};

/// The session line that binds, as people are told of it.
pub const BINDING_LINE: &str = "session [success=ok ignore=ignore default=die] pam_jit.so";

/// Whether the module's session line in the PAM file of a service binds and ends the stack: it is `requisite`, or a bracket with
/// `success=ok` and `default=die` that lets no other answer through; no line before it can end or jump over the
/// stack, opens a session of logind's, or reads what people write into the module's environment. A file that cannot be read,
/// or a line that is not understood, does not bind.
#[must_use]
pub fn has_binding_session_line(etc: &Path, service: &str) -> bool {
    let stack = Stack::read(&Folders::of_etc(etc), service).ok().flatten();
    stack.is_some_and(|stack| binds(&stack))
}

/// The same of a stack.
#[must_use]
pub fn binds(stack: &Stack) -> bool {
    let met = stack.of(Stage::Session).into_iter().map(by_line).find(|met| *met != Met::Nothing);
    met == Some(Met::Binding)
}

/// What a line is on the way through a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// Nothing of note: the stack goes on.
    Nothing,
    /// The module's line, and it binds.
    Binding,
    /// Something after which no line binds, or the module's line which does not.
    Loose,
}

fn by_line(line: &Line) -> Met {
    let What::Module { control, module, arguments } = &line.what else {
        // What begins a substack does nothing; of what is lost nothing is known.
        return if line.what == What::Substack { Met::Nothing } else { Met::Loose };
    };
    let name = Path::new(module).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if is_module(module) {
        // With a hyphen before it, libpam passes over a module that it cannot load. What ends a substack does not end the
        // stack.
        let holds = !line.is_silent && line.level == 0 && control.binds();
        return if holds { Met::Binding } else { Met::Loose };
    }
    let reads_what_people_write =
        || arguments.iter().any(|word| word.starts_with("user_readenv") && word != "user_readenv=0");
    match name {
        // It starts the person's manager, and with it whatever is there to be started.
        _ if is_logind(module) => Met::Loose,
        "" => Met::Loose,
        "pam_env.so" if reads_what_people_write() => Met::Loose,
        _ if control.goes_on() => Met::Nothing,
        _ => Met::Loose,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const DIES: &str = "session [success=ok ignore=ignore default=die] pam_jit.so recovery=root\n";

    fn binds(text: &str) -> bool {
        let etc = tempfile::tempdir().unwrap();
        fs::create_dir(etc.path().join("pam.d")).unwrap();
        for (name, text) in [
            ("sshd", text),
            ("gate", DIES),
            ("plain", "session required pam_loginuid.so\n"),
            ("ends", "session sufficient pam_permit.so\n"),
            ("loop", "@include loop\n"),
        ] {
            fs::write(etc.path().join("pam.d").join(name), text).unwrap();
        }
        has_binding_session_line(etc.path(), "sshd")
    }

    #[test]
    fn a_session_line_binds_where_its_refusal_ends_the_stack() {
        for text in [
            DIES,
            "session requisite pam_jit.so\n",
            "SESSION Requisite /lib/x/security/pam_jit.so recovery=root\n",
            "session [success=ok default=die] \\\n pam_jit.so\n",
            "session [default=die success=ok ignore=ignore auth_err=die] pam_jit.so\n",
            "@include gate\n",
            "session include gate\n",
        ] {
            assert!(binds(text), "{text}");
        }
        for text in [
            "",
            "account requisite pam_jit.so\n",
            "# session requisite pam_jit.so\n",
            "session required pam_jit.so\n",
            "session optional pam_jit.so\n",
            "session sufficient pam_jit.so\n",
            "-session requisite pam_jit.so\n",
            "session requisite pam_permit.so pam_jit.so\n",
            "session [default=ignore] pam_jit.so\n",
            "session [success=ok default=bad] pam_jit.so\n",
            "session [success=ok ignore=ignore default=die perm_denied=ignore] pam_jit.so\n",
            "session [success=ok default=die default=ignore] pam_jit.so\n",
            "session [success=1 default=die] pam_jit.so\n",
            "session [success=done default=die] pam_jit.so\n",
            "session [success=ok ignore=2 default=die] pam_jit.so\n",
            "session [success=ok default = die] pam_jit.so\n",
            "session [success=ok default=die\n",
            // In a substack it ends that alone.
            "session substack gate\n",
            // The first line is the one that answers.
            "session required pam_jit.so\nsession requisite pam_jit.so\n",
            "@include loop\n",
            "session include absent\n",
        ] {
            assert!(!binds(text), "{text}");
        }
        assert!(!has_binding_session_line(Path::new("/nonexistent"), "sshd"));
    }

    #[test]
    fn a_session_line_binds_only_where_nothing_before_it_leads_past_it_or_opens_a_session() {
        for before in [
            "session [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so close\n",
            "session required pam_loginuid.so\nsession optional pam_keyinit.so force revoke\n",
            "auth sufficient pam_permit.so\naccount [success=1 default=ignore] pam_unix.so\n",
            "session required pam_env.so user_readenv=0\n",
            "@include plain\n",
            "session substack plain\n",
        ] {
            assert!(binds(&format!("{before}{DIES}")), "{before}");
        }
        for before in [
            "session sufficient pam_permit.so\n",
            "session [success=1 default=ignore] pam_succeed_if.so user ingroup staff\n",
            "session [default=done] pam_permit.so\n",
            "session unheard-of pam_permit.so\n",
            "session required pam_env.so user_readenv=1\n",
            "-session optional pam_systemd.so\n",
            "@include ends\n",
            "session include ends\n",
            "session include absent\n",
        ] {
            assert!(!binds(&format!("{before}{DIES}")), "{before}");
        }
        // Behind it they may stand: a refusal does not get there.
        assert!(binds(&format!(
            "{DIES}session [default=1] pam_permit.so\nsession optional pam_systemd.so\n"
        )));
    }
}
