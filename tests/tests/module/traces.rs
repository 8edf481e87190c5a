//! What the module leaves behind: nothing. Every run of pamrun checks that; here it is checked over many cycles, and
//! with an environment that means harm.

use std::fs;
use std::os::unix::net::UnixListener;

use jit_tests::runner::Test;

use crate::bus::Bus;
use crate::pam::{AUTHINFO_UNAVAIL, IGNORE, PERM_DENIED, Pam, SUCCESS, load_and_unload};
use crate::peer::Peer;
use crate::table::{behind_private, over};
use crate::{ensure, expect, room};

pub(crate) const TESTS: &[Test] = &[
    ("110 logins in one process leave nothing and take no memory", logins),
    ("110 logins over the bus leave nothing and take no memory", logins_over_bus),
    ("110 refusals and recoveries leave nothing and take no memory", refusals),
    ("110 times loaded and unloaded leave nothing and take no memory", || load_and_unload(110)),
    ("after pam_end the module is unmapped", unmapped),
    ("a hostile environment changes no verdict and is not connected to", environment),
];

const CYCLES: [&str; 2] = ["-c", "110"];

const ALL: &[&str] = &["auth", "account", "open", "close", "chauthtok"];

fn logins() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    let seen = Pam::new(arguments).option(CYCLES).stages(ALL).run()?;
    expect("codes", seen.codes, vec![IGNORE, SUCCESS, SUCCESS, SUCCESS, IGNORE])?;
    expect("connections and questions", peer.end().len(), 110 * 3 * 2)
}

fn logins_over_bus() -> Result<(), String> {
    let bus = Bus::start()?;
    let _peer = Peer::on_bus("allow", bus.socket())?;
    let seen = Pam::new(over(&bus)).option(CYCLES).run()?;
    expect("codes", seen.codes, vec![SUCCESS, SUCCESS])
}

fn refusals() -> Result<(), String> {
    let dead = format!("private={0}/a bus={0}/b", room::folder().display());
    for kind in ["deny", "wrong-nonce", "cannot-decide", "raw-garbage", "raw-hangs-up"] {
        let (_peer, arguments) = behind_private(kind)?;
        Pam::new(arguments).option(CYCLES).run()?;
    }
    let (_peer, hanging) = behind_private("raw-silent")?;
    let seen = Pam::new(hanging.replace("timeout=20", "timeout=100ms")).option(["-c", "30"]).run()?;
    expect("codes", seen.codes, vec![AUTHINFO_UNAVAIL, PERM_DENIED])?;
    let seen = Pam::new(format!("{dead} recovery=root")).user("root").option(CYCLES).run()?;
    expect("codes", seen.codes, vec![IGNORE, IGNORE])?;
    let seen = Pam::new("typo").option(CYCLES).run()?;
    expect("codes", seen.codes, vec![3, PERM_DENIED])
}

fn unmapped() -> Result<(), String> {
    let (_peer, arguments) = behind_private("deny")?;
    let seen = Pam::new(arguments).run()?;
    expect("mapped after pam_end", seen.mapped, false)
}

fn environment() -> Result<(), String> {
    let folder = room::folder();
    let hostile = folder.join("hostile");
    let listener = UnixListener::bind(&hostile).map_err(|err| err.to_string())?;
    listener.set_nonblocking(true).map_err(|err| err.to_string())?;
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&hostile, everybody).map_err(|err| err.to_string())?;
    let address = format!("unix:path={}", hostile.display());
    let with_harm = |pam: Pam| {
        [
            ("DBUS_SYSTEM_BUS_ADDRESS", address.as_str()),
            ("DBUS_SESSION_BUS_ADDRESS", &address),
            ("DBUS_STARTER_ADDRESS", &address),
            ("DBUS_STARTER_BUS_TYPE", "system"),
            ("DBUS_VERBOSE", "1"),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("RUST_MIN_STACK", "1"),
            ("TZ", "/etc/shadow"),
            ("TMPDIR", &folder.to_string_lossy()),
            ("LD_LIBRARY_PATH", &folder.to_string_lossy()),
            ("LANG", "xx_YY.hostile"),
            ("LC_ALL", "%n%n%n"),
            ("XDG_RUNTIME_DIR", &folder.to_string_lossy()),
            ("HOME", &folder.to_string_lossy()),
        ]
        .into_iter()
        .fold(pam, |pam, (name, value)| pam.env(name, value))
    };

    for (kind, codes) in [("allow", vec![SUCCESS, SUCCESS]), ("deny", vec![PERM_DENIED, PERM_DENIED])] {
        let (_peer, arguments) = behind_private(kind)?;
        expect(kind, with_harm(Pam::new(arguments)).run()?.codes, codes.clone())?;
        let bus = Bus::start()?;
        let _peer = Peer::on_bus(kind, bus.socket())?;
        expect(kind, with_harm(Pam::new(over(&bus))).run()?.codes, codes)?;
    }
    let dead = format!("private={0}/a bus={0}/b", room::folder().display());
    expect("dead", with_harm(Pam::new(dead)).run()?.codes, vec![AUTHINFO_UNAVAIL, PERM_DENIED])?;
    ensure(listener.accept().is_err(), || "the hostile socket was connected to".into())
}
