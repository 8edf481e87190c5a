//! The [`Host`](crate::outside::Host) that runs in production: a PAM handle and this process.

use std::ffi::CStr;
use std::path::Path;
use std::time::Duration;

use jit_proto::RECOVERY_NOTES;
use jit_proto::gate::{Answer, NONCE_LEN, Question};
use jit_proto::login_request::{self, Asker};
use jit_proto::words::{RequestId, UserName};
use nix::time::ClockId;
use nix::unistd::{User, getuid};
use pam::constants::{PAM_ERROR_MSG, PAM_PROMPT_ECHO_ON};
use pam::conv::Conv;
use pam::items;
use pam::module::PamHandle;

use crate::error::{Error, Unusable};
use crate::ffi;
use crate::log::Level;
use crate::outside::{Item, Jitd, Order, System, Transaction};
use crate::recovery;
use crate::transport::{self, Sockets};

/// The transaction that libpam called us for.
pub(crate) struct PamHost<'a>(pub(crate) &'a mut PamHandle);

/// pam_systemd(8) reads this PAM data and sets RuntimeMaxSec= of the session's scope to it.
const RUNTIME_MAX: &str = "systemd.runtime_max_sec";

/// The digits of the largest u64, and the NUL that ends them.
type Digits = [u8; 21];

impl Transaction for PamHost<'_> {
    fn item(&self, item: Item) -> Result<Option<Vec<u8>>, Unusable> {
        macro_rules! bytes_of {
            ($kind:ident) => {
                self.0.get_item::<items::$kind<'_>>().map(|item| item.map(|item| item.0.to_bytes().to_vec()))
            };
        }
        match item {
            Item::Service => bytes_of!(Service),
            Item::User => bytes_of!(User),
            Item::RUser => bytes_of!(RUser),
            Item::RHost => bytes_of!(RHost),
            Item::Tty => bytes_of!(Tty),
        }
        .map_err(|_| Unusable::Unreadable)
    }

    fn variable(&self, name: &CStr) -> Option<Vec<u8>> {
        ffi::variable(self.0, name)
    }

    fn prompt(&mut self, text: &str) -> Option<Vec<u8>> {
        let conversation = self.0.get_item::<Conv<'_>>().ok()??;
        let typed = conversation.send(PAM_PROMPT_ECHO_ON, text).ok()??;
        Some(typed.as_bytes().to_vec())
    }

    fn say(&mut self, line: &str) {
        if let Ok(Some(conversation)) = self.0.get_item::<Conv<'_>>() {
            // Programs that show messages without answering them make this an error.
            drop(conversation.send(PAM_ERROR_MSG, line));
        }
    }

    fn log(&mut self, level: Level, line: &str) {
        ffi::syslog(self.0, level, line);
    }

    fn limit_session(&mut self, seconds: u64) {
        let mut digits: Digits = [0; 21];
        let text = seconds.to_string();
        digits[..text.len()].copy_from_slice(text.as_bytes());
        // libpam keeps the array until pam_end(3), and pam_systemd reads it as a C string. Without it the session
        // merely has no second end beside jitd's.
        drop(self.0.set_data(RUNTIME_MAX, Box::new(digits)));
    }
}

impl System for PamHost<'_> {
    fn real_uid(&self) -> u32 {
        getuid().as_raw()
    }

    fn uid_of(&self, name: &UserName) -> Option<u32> {
        User::from_name(name.as_str()).ok().flatten().map(|user| user.uid.as_raw())
    }

    fn nonce(&self) -> Result<[u8; NONCE_LEN], Error> {
        ffi::random()
    }

    fn note_recovery(&mut self, service: &str, account: &UserName) {
        let seconds = ClockId::CLOCK_REALTIME.now().map_or(0, |now| now.tv_sec());
        // Best effort: the alert in the system log has been or will be written either way.
        drop(recovery::note(Path::new(RECOVERY_NOTES), &format!("{seconds} {service} {account}")));
    }
}

impl Jitd for PamHost<'_> {
    fn ask(
        &mut self,
        sockets: &Sockets<'_>,
        question: &Question,
        auth_info: Option<&str>,
        limit: Duration,
    ) -> Result<Answer, Error> {
        match auth_info {
            Some(auth_info) => transport::ask_login(sockets, question, auth_info, limit),
            None => transport::ask(sockets, transport::CHECK, question, limit),
        }
    }

    fn options(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<(login_request::Answer, Vec<login_request::Role>), Error> {
        transport::ask(sockets, transport::OPTIONS, asker, limit)
    }

    fn file(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        order: &Order<'_>,
        limit: Duration,
    ) -> Result<login_request::Answer, Error> {
        let Order { role, time, reason } = order;
        let order = (asker, role.as_str(), time.as_secs(), reason.as_str());
        transport::ask(sockets, transport::FILE, &order, limit)
    }

    fn progress(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        id: RequestId,
        limit: Duration,
    ) -> Result<login_request::Answer, Error> {
        transport::ask(sockets, transport::PROGRESS, &(asker, id.to_string()), limit)
    }

    fn enter(
        &mut self,
        sockets: &Sockets<'_>,
        asker: &Asker,
        id: RequestId,
        typed: &[String],
        limit: Duration,
    ) -> Result<(login_request::Answer, Vec<String>, u32), Error> {
        transport::ask(sockets, transport::ENTER, &(asker, id.to_string(), typed), limit)
    }
}
