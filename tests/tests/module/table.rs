//! What each stage returns and says when jitd answers, and what jitd is asked.

use std::fs;
use std::time::Duration;

use jit_tests::runner::Test;

use crate::bus::Bus;
use crate::pam::{IGNORE, OTHER, PERM_DENIED, Pam, SERVICE_ERR, SUCCESS, USER_UNKNOWN};
use crate::peer::Peer;
use crate::{ensure, expect, room};

pub(crate) const TESTS: &[Test] = &[
    ("a window admits at account and session and hands on the time that is left", window),
    ("a denial tells the person what to do and the log why", denial),
    ("PAM_SILENT silences the conversation and not the log", silent),
    ("what is not managed is ignored", unmanaged),
    ("a user unknown to the name service is unknown, and a session refused", unknown_user),
    ("a name that no account can have is unknown and nobody is asked", impossible_user),
    ("an item that is not text or too long refuses and nobody is asked", unusable_items),
    ("a bad argument is a service error that the log names", bad_argument),
    ("auth is ignored, setcred succeeds, chauthtok is ignored", other_stages),
    ("closing a session tells jitd and succeeds whatever happens", close),
    ("in the documented place, a denial stops and an exemption leaves the rest to decide", placement),
    ("root's own su and sudo are ignored with jitd dead and nobody asked", root_caller),
    ("su and sudo are asked about with the caller's name and uid", caller),
    ("the built-in paths are those of the contract", built_in_paths),
    ("jitd's own socket comes before the bus", private_first),
    ("a program that is not root asks over the bus", not_root),
    ("the bus starts jitd within the same deadline", activation),
];

/// A socket with such a peer behind it, and the arguments that lead there and nowhere else.
pub(crate) fn behind_private(kind: &str) -> Result<(Peer, String), String> {
    let folder = room::folder();
    let peer = Peer::private(kind, &folder.join("private"))?;
    Ok((peer, format!("private={0}/private bus={0}/nothing timeout=20", folder.display())))
}

/// Arguments that lead to this bus alone.
pub(crate) fn over(bus: &Bus) -> String {
    format!("private={}/nothing bus={} timeout=20", room::folder().display(), bus.socket().display())
}

fn window() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    let after = format!("session required {} tell\n", room::sentinel());
    let seen = Pam::new(&arguments).option(["-h", "2001:db8::7"]).option(["-t", "ssh"]).then(&after).run()?;
    expect("codes", seen.codes, vec![SUCCESS, SUCCESS])?;
    expect("conversation", seen.said, vec!["4 systemd.runtime_max_sec is 3600".to_owned()])?;
    expect("log lines", seen.logged.len(), 2)?;
    let line = &seen.logged[0];
    ensure(
        line.starts_with("<86>") && line.contains("pam_jit(sshd:account): allowed grant=\"g-4k7m2qx9\""),
        || line.clone(),
    )?;
    let asked = "sshd user=nobody ruser= rhost=2001:db8::7 tty=ssh uid=0 flags=0";
    let connected = "connected".to_owned();
    expect(
        "questions",
        peer.end(),
        vec![
            connected.clone(),
            format!("asked account {asked}"),
            connected,
            format!("asked session {asked}"),
        ],
    )?;

    let (peer, arguments) = behind_private("allow")?;
    Pam::new(format!("{arguments} session")).run()?;
    let asked = peer.end();
    ensure(asked[1].ends_with("flags=1") && asked[3].ends_with("flags=0"), || format!("{asked:?}"))
}

fn denial() -> Result<(), String> {
    let (_peer, arguments) = behind_private("deny")?;
    let seen = Pam::new(arguments).run()?;
    expect("codes", seen.codes, vec![PERM_DENIED, PERM_DENIED])?;
    // One line each, and the escape in it made harmless (pamrun writes a backslash as \x5c).
    let line = "3 No window is open. Ask for one:\\x5cu{a}\\x5cu{1b}[1mjitctl request db-oncall".to_owned();
    expect("conversation", seen.said, vec![line.clone(), line])?;
    let line = &seen.logged[0];
    ensure(line.starts_with("<85>") && line.contains("denied reason=\"no-window\" user=\"nobody\""), || {
        line.clone()
    })
}

fn silent() -> Result<(), String> {
    let (_peer, arguments) = behind_private("deny")?;
    let seen = Pam::new(arguments).option(["-s"]).run()?;
    expect("codes", seen.codes, vec![PERM_DENIED, PERM_DENIED])?;
    expect("conversation and log lines", (seen.said.len(), seen.logged.len()), (0, 2))?;
    let nowhere = room::folder();
    let dead = format!("private={0}/a bus={0}/b", nowhere.display());
    let seen = Pam::new(dead).option(["-s"]).run()?;
    expect("conversation and log lines", (seen.said.len(), seen.logged.len()), (0, 2))
}

fn unmanaged() -> Result<(), String> {
    let (_peer, arguments) = behind_private("unmanaged")?;
    let seen = Pam::new(&arguments).run()?;
    expect("codes", seen.codes, vec![IGNORE, IGNORE])?;
    expect("conversation and log lines", (seen.said.len(), seen.logged.len()), (0, 0))?;
    let seen = Pam::new(format!("{arguments} debug")).run()?;
    ensure(seen.logged[0].contains("unmanaged reason=\"exempt\""), || format!("{:?}", seen.logged))
}

fn unknown_user() -> Result<(), String> {
    let (_peer, arguments) = behind_private("unknown-user")?;
    let seen = Pam::new(arguments).user("nobody-knows").run()?;
    expect("codes", seen.codes, vec![USER_UNKNOWN, PERM_DENIED])?;
    expect("conversation", seen.said.len(), 0)
}

fn impossible_user() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    let long = "x".repeat(256);
    for user in ["-rf", "a ", "a:b", "a\u{202e}b", "a\u{a0}b", "a\nb", "a/../b", "", &long] {
        let seen = Pam::new(&arguments).user(user).run()?;
        expect(user, seen.codes, vec![USER_UNKNOWN, PERM_DENIED])?;
        expect("log lines", seen.logged.len(), 2)?;
    }
    expect("questions", peer.end(), vec![])?;
    // Names that directories have are asked about as they are.
    for user in ["john smith", "müller", "DOM\\kim", "kim@ad.example", "a%n"] {
        let (peer, arguments) = behind_private("allow")?;
        expect(user, Pam::new(&arguments).user(user).run()?.codes, vec![SUCCESS, SUCCESS])?;
        let asked = peer.end();
        ensure(asked[1].contains(&format!("user={user} ")), || format!("{asked:?}"))?;
    }
    Ok(())
}

fn unusable_items() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    let long = "x".repeat(1025);
    for option in ["-h", "-r", "-t"] {
        let seen = Pam::new(&arguments).option([option, &long]).run()?;
        expect(option, seen.codes, vec![PERM_DENIED, PERM_DENIED])?;
        ensure(seen.logged[0].contains("is not usable: it is 1025 bytes long"), || seen.logged[0].clone())?;
        ensure(seen.said[0].starts_with("3 jit: refused, since PAM_"), || seen.said[0].clone())?;
    }
    expect("questions", peer.end(), vec![])?;
    // A hostile one that is text reaches jitd as it is, and the log escaped.
    let (peer, arguments) = behind_private("allow")?;
    let seen = Pam::new(&arguments).option(["-h", "x\u{1b}]0;t\u{7}\" user=\"root"]).run()?;
    expect("codes", seen.codes, vec![SUCCESS, SUCCESS])?;
    ensure(seen.logged[0].contains(r#"rhost="x\u{1b}]0;t\u{7}\" user=\"root""#), || seen.logged[0].clone())?;
    ensure(peer.end()[1].contains("rhost=x\u{1b}]0;t\u{7}\" user=\"root"), || "jitd gets it as it is".into())
}

fn bad_argument() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    for bad in [
        "recovry=root",
        "timeout=0",
        "timeout=31",
        "recovery=",
        "recovery=a,,b",
        "session session",
        "debug=1",
    ] {
        let seen = Pam::new(arguments.replace("timeout=20", bad)).run()?;
        expect(bad, seen.codes, vec![SERVICE_ERR, PERM_DENIED])?;
        let named = format!("argument \\\"{}", bad.split(' ').next_back().unwrap());
        ensure(seen.logged[0].contains(&named), || seen.logged[0].clone())?;
        ensure(seen.logged[0].starts_with("<83>"), || seen.logged[0].clone())?;
    }
    expect("questions", peer.end(), vec![])
}

fn other_stages() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    let seen = Pam::new(&arguments).stages(&["auth", "chauthtok"]).run()?;
    expect("codes", seen.codes, vec![IGNORE, IGNORE])?;
    // libpam makes a failure of a stack in which everything is ignored: auth admits nobody, and setcred succeeds.
    let auth = Pam::new(&arguments).alone().stages(&["auth"]).run()?;
    let setcred = Pam::new(&arguments).alone().stages(&["setcred"]).run()?;
    expect("codes", [auth.codes[0], setcred.codes[0]], [PERM_DENIED, SUCCESS])?;
    expect("questions", peer.end(), vec![])
}

fn close() -> Result<(), String> {
    let (peer, arguments) = behind_private("unmanaged")?;
    let seen = Pam::new(arguments).stages(&["close"]).run()?;
    expect("code", seen.codes, vec![SUCCESS])?;
    ensure(peer.end()[1].starts_with("asked close sshd user=nobody"), || "jitd was not told".into())?;

    let dead = room::folder();
    let bus = Bus::start()?;
    let on_bus = Peer::on_bus("allow", bus.socket())?;
    let (_hangs, hanging) = behind_private("hangs")?;
    for arguments in
        [format!("private={}/nothing bus={}", dead.display(), bus.socket().display()), hanging, "typo".into()]
    {
        let seen = Pam::new(&arguments).stages(&["close"]).run()?;
        expect(&arguments, seen.codes, vec![SUCCESS])?;
        ensure(seen.took < Duration::from_secs(5), || format!("{arguments}: took {:?}", seen.took))?;
        expect("conversation and log lines", (seen.said.len(), seen.logged.len()), (0, 0))?;
    }
    expect("the bus is not used for it", on_bus.end(), vec![])
}

fn placement() -> Result<(), String> {
    for (kind, codes) in [
        ("allow", [SUCCESS, SUCCESS]),
        ("unmanaged", [SUCCESS, SUCCESS]),
        ("deny", [PERM_DENIED, PERM_DENIED]),
        ("cannot-decide", [9, PERM_DENIED]),
    ] {
        let (_peer, arguments) = behind_private(kind)?;
        let account = Pam::new(&arguments).control("[success=ok ignore=ignore default=die]");
        let session = Pam::new(&arguments).control("[default=bad success=ok ignore=ignore]");
        let codes_seen =
            [account.stages(&["account"]).run()?.codes[0], session.stages(&["open"]).run()?.codes[0]];
        expect(kind, codes_seen, codes)?;
    }
    // What is ignored is left to the rest of the stack: that may still refuse.
    let (_peer, arguments) = behind_private("unmanaged")?;
    let deny = "account required pam_deny.so\n";
    let account = Pam::new(&arguments).control("[success=ok ignore=ignore default=die]").then(deny);
    let codes = account.stages(&["account"]).run()?.codes;
    ensure(codes[0] != SUCCESS, || "the rest of the stack was not asked".into())
}

fn root_caller() -> Result<(), String> {
    let dead = format!("private={0}/a bus={0}/b", room::folder().display());
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        for pam in [Pam::new(&dead), Pam::new(&dead).option(["-r", "root"])] {
            let pam = pam.service(service);
            let seen = pam.clone().run()?;
            expect(service, seen.codes, vec![IGNORE, IGNORE])?;
            expect(service, pam.stages(&["close"]).run()?.codes, vec![SUCCESS])?;
            expect("conversation and log lines", (seen.said.len(), seen.logged.len()), (0, 0))?;
        }
    }
    Ok(())
}

fn caller() -> Result<(), String> {
    let (name, uid) = OTHER;
    let real = uid.to_string();
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        let (peer, arguments) = behind_private("deny")?;
        let seen = Pam::new(arguments)
            .service(service)
            .user("root")
            .option(["-r", name])
            .option(["-u", &real])
            .run()?;
        expect(service, seen.codes, vec![PERM_DENIED, PERM_DENIED])?;
        let asked = format!("{service} user=root ruser={name} rhost= tty= uid={uid} flags=0");
        expect("question", peer.end()[1].clone(), format!("asked account {asked}"))?;
    }
    // An older sudo has made itself root for good by the time the session opens.
    let (peer, arguments) = behind_private("deny")?;
    let seen =
        Pam::new(arguments).service("sudo").user("root").option(["-r", name]).stages(&["open"]).run()?;
    expect("code", seen.codes, vec![PERM_DENIED])?;
    ensure(peer.end()[1].contains("ruser=nobody rhost= tty= uid=0"), || {
        "PAM_RUSER was not asked about".into()
    })
}

fn built_in_paths() -> Result<(), String> {
    let (private, bus) =
        (std::path::Path::new("/run/jitd/private"), std::path::Path::new("/run/dbus/system_bus_socket"));
    for socket in [private, bus] {
        fs::create_dir_all(socket.parent().unwrap()).map_err(|err| err.to_string())?;
    }
    let result = (|| {
        let peer = Peer::private("allow", private)?;
        expect("over the socket", Pam::new("").run()?.codes, vec![SUCCESS, SUCCESS])?;
        expect("questions", peer.end().len(), 4)?;
        let daemon = Bus::at(bus)?;
        let peer = Peer::on_bus("allow", daemon.socket())?;
        expect("over the bus", Pam::new("").run()?.codes, vec![SUCCESS, SUCCESS])?;
        expect("questions", peer.end().len(), 2)
    })();
    for socket in [private, bus] {
        fs::remove_dir_all(socket.parent().unwrap()).map_err(|err| err.to_string())?;
    }
    result
}

fn private_first() -> Result<(), String> {
    let bus = Bus::start()?;
    let on_bus = Peer::on_bus("deny", bus.socket())?;
    let socket = room::folder().join("private");
    let private = Peer::private("allow", &socket)?;
    let arguments = format!("private={} bus={}", socket.display(), bus.socket().display());
    expect("codes", Pam::new(&arguments).run()?.codes, vec![SUCCESS, SUCCESS])?;
    expect("connections", private.end().len(), 4)?;
    // The socket file is left, and nobody listens: it refuses.
    expect("codes", Pam::new(&arguments).run()?.codes, vec![PERM_DENIED, PERM_DENIED])?;
    expect("questions over the bus", on_bus.end().len(), 2)
}

fn not_root() -> Result<(), String> {
    let bus = Bus::start()?;
    let on_bus = Peer::on_bus("allow", bus.socket())?;
    let closed = room::folder();
    let private = Peer::private("deny", &closed.join("private"))?;
    let only_root = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&closed, only_root).map_err(|err| err.to_string())?;
    let arguments = format!("private={}/private bus={}", closed.display(), bus.socket().display());
    let seen = Pam::new(arguments)
        .service("lock")
        .option(["-U", &OTHER.1.to_string()])
        .stages(&["account"])
        .run()?;
    expect("code", seen.codes, vec![SUCCESS])?;
    expect("connections to jitd's socket", private.end(), vec![])?;
    let asked = "asked account lock user=nobody ruser= rhost= tty= uid=65534 flags=0".to_owned();
    expect("questions over the bus", on_bus.end(), vec![asked])
}

fn activation() -> Result<(), String> {
    let this = std::env::current_exe().map_err(|err| err.to_string())?;
    let bus = Bus::that_starts(&format!("{} --peer started allow {{bus}}", this.display()))?;
    expect("codes", Pam::new(over(&bus)).run()?.codes, vec![SUCCESS, SUCCESS])
}
