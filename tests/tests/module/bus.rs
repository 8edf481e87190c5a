//! A system bus of our own: dbus-daemon with the policy file that ships.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jit_proto::BUS_NAME;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::room;

/// A running bus. Ends with its owner.
pub(crate) struct Bus {
    child: Child,
    socket: PathBuf,
}

/// The shipped policy of jitd's name.
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/dbus/org.jitd.Jit1.conf");

/// As /usr/share/dbus-1/system.conf has it, less what concerns other services.
const SYSTEM: &str = r#"
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
"#;

impl Bus {
    /// One that cannot start jitd.
    pub(crate) fn start() -> Result<Self, String> {
        Self::with(&room::folder().join("bus"), None, "")
    }

    /// One that starts jitd with this command; `{bus}` in it is the bus's own socket.
    pub(crate) fn that_starts(command: &str) -> Result<Self, String> {
        Self::with(&room::folder().join("bus"), Some(command), "")
    }

    /// One whose administrator lets anybody own jitd's name.
    pub(crate) fn that_lets_anybody_own() -> Result<Self, String> {
        Self::with(&room::folder().join("bus"), None, &format!("<allow own=\"{BUS_NAME}\"/>"))
    }

    /// One at a given place.
    pub(crate) fn at(socket: &Path) -> Result<Self, String> {
        Self::with(socket, None, "")
    }

    fn with(socket: &Path, starts: Option<&str>, rules: &str) -> Result<Self, String> {
        let io = |err: std::io::Error| err.to_string();
        let folder = room::folder();
        if let Some(command) = starts {
            let command = command.replace("{bus}", &socket.to_string_lossy());
            let service = format!("[D-BUS Service]\nName={BUS_NAME}\nUser=root\nExec={command}\n");
            fs::write(folder.join(format!("{BUS_NAME}.service")), service).map_err(io)?;
        }
        let config = format!(
            "<busconfig>\n<type>system</type>\n<listen>unix:path={}</listen>\n<auth>EXTERNAL</auth>\n\
             <servicedir>{}</servicedir>\n<policy context=\"default\">{SYSTEM}</policy>\n\
             <include>{POLICY}</include>\n<policy context=\"mandatory\">{rules}</policy>\n</busconfig>\n",
            socket.display(),
            folder.display()
        );
        let config_file = folder.join("bus.conf");
        fs::write(&config_file, config).map_err(io)?;

        // It ends with this process, even if that is killed.
        let mut daemon = Command::new("setpriv");
        daemon
            .args(["--pdeathsig", "KILL", "dbus-daemon"])
            .arg(format!("--config-file={}", config_file.display()));
        daemon.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"]);
        daemon.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = daemon.spawn().map_err(|err| format!("dbus-daemon: {err}"))?;
        let mut first = [0];
        let up = child.stdout.as_mut().unwrap().read_exact(&mut first);
        let bus = Self { child, socket: socket.to_owned() };
        up.map_err(|_| format!("dbus-daemon did not start with {}", config_file.display()))?;
        Ok(bus)
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// SIGSTOP.
    pub(crate) fn stop(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGSTOP).unwrap();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
