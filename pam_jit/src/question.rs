//! From PAM items to the question for jitd, and who its subject is.
//!
//! Nothing here is believed: jitd resolves the names. An item that cannot be passed on unchanged (not UTF-8, or
//! over [`MAX_TEXT`] bytes) refuses the login. Cutting or repairing it would make two different callers look the
//! same in the audit.

use jit_proto::gate::{FLAG_CLAIM, MAX_AUTH_INFO, MAX_TEXT, Question, Stage};
use jit_proto::words::{ServiceName, UserName, subject_is_caller};

use crate::args::Args;
use crate::error::{Error, Unusable};
use crate::outside::{Host, Item};

/// What jitd is asked, and about whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Complete but for the nonce.
    pub(crate) question: Question,
    /// What sshd says of how somebody was let in: it does so before the session stage, and at the account stage it has not
    /// yet noted the last method.
    pub(crate) auth_info: Option<String>,
    pub(crate) subject: Subject,
}

/// Who is being checked, as far as the module itself can tell: what `recovery=` is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// PAM_USER; for su and sudo PAM_RUSER, where that is a name.
    pub(crate) name: Option<UserName>,
    /// For su and sudo, the uid that the name must have.
    pub(crate) must_be: Option<u32>,
}

/// The question that this stage asks; none where root runs su or sudo, and gains nothing by it.
pub(crate) fn about(host: &impl Host, stage: Stage, args: &Args) -> Result<Option<Asked>, Error> {
    let service = required(host, Item::Service).map_err(refuse("PAM_SERVICE"))?;
    let service: ServiceName =
        service.parse().map_err(|bad| refuse("PAM_SERVICE")(Unusable::BadWord(bad)))?;
    let ruser = optional(host, Item::RUser).map_err(refuse("PAM_RUSER"))?;
    let real_uid = host.real_uid();
    let about_caller = subject_is_caller(&service);
    if about_caller && real_uid == 0 && is_root(host, &ruser) {
        return Ok(None);
    }

    let user = required(host, Item::User).map_err(Error::User)?;
    let user: UserName = user.parse().map_err(|bad| Error::User(Unusable::BadWord(bad)))?;
    let rhost = optional(host, Item::RHost).map_err(refuse("PAM_RHOST"))?;
    let tty = optional(host, Item::Tty).map_err(refuse("PAM_TTY"))?;

    let subject = if about_caller {
        // Under an older sudo that has made itself root for good, PAM_RUSER is all there is to go by.
        Subject { name: ruser.parse().ok(), must_be: (real_uid != 0).then_some(real_uid) }
    } else {
        Subject { name: Some(user.clone()), must_be: None }
    };
    let question = Question {
        nonce: Vec::new(),
        stage: stage.as_str().to_owned(),
        service: service.into(),
        user: user.into(),
        ruser,
        rhost,
        tty,
        caller_uid: real_uid,
        flags: if args.claim && stage == Stage::Account { FLAG_CLAIM } else { 0 },
    };
    let auth_info = if stage == Stage::Session && !about_caller { auth_info(host) } else { None };
    Ok(Some(Asked { question, auth_info, subject }))
}

/// What sshd tells PAM of how somebody was let in (sshd_config(5), ExposeAuthInfo). It is for the record and refuses
/// nobody: what cannot be passed on is left out.
fn auth_info(host: &impl Host) -> Option<String> {
    let bytes = host.variable(c"SSH_AUTH_INFO_0")?;
    if bytes.is_empty() || bytes.len() > MAX_AUTH_INFO {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// Whether the caller of su or sudo is root, given that the real uid is 0. That alone does not say it: an older sudo
/// makes itself root for good before it opens the session, so PAM_RUSER, which sudo sets from the uid it was started
/// with, has to agree. Under cron and init scripts it is unset or `root`, and needs no name service.
fn is_root(host: &impl Host, ruser: &str) -> bool {
    match ruser {
        "" | "root" => true,
        name => name.parse().is_ok_and(|name| host.uid_of(&name) == Some(0)),
    }
}

fn refuse(item: &'static str) -> impl Fn(Unusable) -> Error {
    move |why| Error::Item { item, why }
}

fn required(host: &impl Host, item: Item) -> Result<String, Unusable> {
    Some(optional(host, item)?).filter(|text| !text.is_empty()).ok_or(Unusable::Missing)
}

/// The item's text; empty where it is not set.
fn optional(host: &impl Host, item: Item) -> Result<String, Unusable> {
    let bytes = host.item(item)?.unwrap_or_default();
    if bytes.len() > MAX_TEXT {
        return Err(Unusable::TooLong(bytes.len()));
    }
    String::from_utf8(bytes).map_err(|_| Unusable::NotText)
}
