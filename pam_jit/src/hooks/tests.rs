#![allow(clippy::unnecessary_wraps, reason = "the doubles of jitd are of one type")]

use std::collections::{HashMap, VecDeque};

use jit_proto::gate::{FLAG_CLAIM, MAX_TEXT};
use nix::errno::Errno;
use pam::constants::PamResultCode::{self, *};

use super::*;

/// What jitd does when it is asked.
pub(crate) type Jitd = fn(&Question) -> Result<Answer, Error>;

/// What jitd says to somebody who asks for a role.
pub(crate) type Said = Box<dyn Fn(&Asker) -> Result<ask::Answer, Error>>;

/// A host that follows a script and writes down, in order, everything a hook does.
pub(crate) struct Script {
    items: HashMap<Item, Vec<u8>>,
    pub(crate) real_uid: u32,
    accounts: Vec<(&'static str, u32)>,
    pub(crate) nonce: Result<[u8; NONCE_LEN], Error>,
    jitd: Jitd,
    /// What jitd says to each question of an auth line, in order,
    pub(crate) says: VecDeque<Said>,
    /// the roles that it offers,
    pub(crate) roles: Vec<ask::Role>,
    /// and what the person types; nothing more is a conversation that fails.
    pub(crate) typed: VecDeque<Vec<u8>>,
    pub(crate) did: Vec<String>,
    looked_up: std::cell::RefCell<Vec<String>>,
}

impl Script {
    /// maria logs in over ssh.
    pub(crate) fn sshd(jitd: Jitd) -> Self {
        let mut script = Self {
            items: HashMap::new(),
            real_uid: 0,
            accounts: vec![("root", 0), ("toor", 0), ("maria", 1000), ("erik", 1001)],
            nonce: Ok([7; NONCE_LEN]),
            jitd,
            says: VecDeque::new(),
            roles: Vec::new(),
            typed: VecDeque::new(),
            did: Vec::new(),
            looked_up: std::cell::RefCell::default(),
        };
        script.set(Item::Service, "sshd");
        script.set(Item::User, "maria");
        script.set(Item::RHost, "10.1.2.3");
        script.set(Item::Tty, "ssh");
        script
    }

    /// maria, at her shell, runs su or sudo to become root.
    pub(crate) fn caller(service: &str, jitd: Jitd) -> Self {
        let mut script = Self::sshd(jitd);
        script.items.clear();
        script.real_uid = 1000;
        script.set(Item::Service, service);
        script.set(Item::User, "root");
        script.set(Item::RUser, "maria");
        script
    }

    pub(crate) fn set(&mut self, item: Item, text: impl AsRef<[u8]>) {
        self.items.insert(item, text.as_ref().to_vec());
    }

    fn account(&mut self, args: &[&CStr]) -> PamResultCode {
        account(self, args, 0)
    }

    fn open(&mut self, args: &[&CStr]) -> PamResultCode {
        open_session(self, args, 0)
    }

    /// One answer to a question of an auth line.
    fn asks(
        &mut self,
        what: String,
        roads: &Roads<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<ask::Answer, Error> {
        let Asker { nonce, service, user, ruser, caller_uid, rhost, tty } = asker;
        assert_eq!(nonce, &[7; NONCE_LEN]);
        assert!(roads.bus.is_some() && limit == Duration::from_secs(3));
        self.did.push(format!(
            "{what} by {service} user={user} ruser={ruser} rhost={rhost} tty={tty} uid={caller_uid}"
        ));
        self.says.pop_front().unwrap()(asker)
    }

    pub(crate) fn did(&self, what: &str) -> bool {
        self.did.iter().any(|did| did.starts_with(what))
    }
}

impl Host for Script {
    fn item(&self, item: Item) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.items.get(&item).cloned())
    }

    fn real_uid(&self) -> u32 {
        self.real_uid
    }

    fn uid_of(&self, name: &UserName) -> Option<u32> {
        self.looked_up.borrow_mut().push(name.to_string());
        self.accounts.iter().find(|(known, _)| *known == name.as_str()).map(|(_, uid)| *uid)
    }

    fn nonce(&self) -> Result<[u8; NONCE_LEN], Error> {
        self.nonce.clone()
    }

    fn ask(&mut self, roads: &Roads<'_>, question: &Question, limit: Duration) -> Result<Answer, Error> {
        let Question { stage, service, user, ruser, rhost, tty, caller_uid, flags, nonce } = question;
        assert_eq!(nonce, &[7; NONCE_LEN]);
        let bus = if roads.bus.is_some() { "both" } else { "private" };
        self.did.push(format!(
            "ask {stage} {service} user={user} ruser={ruser} rhost={rhost} tty={tty} uid={caller_uid} \
             flags={flags} {bus} {limit:?}"
        ));
        (self.jitd)(question)
    }

    fn options(
        &mut self,
        roads: &Roads<'_>,
        asker: &Asker,
        limit: Duration,
    ) -> Result<(ask::Answer, Vec<ask::Role>), Error> {
        Ok((self.asks("options".into(), roads, asker, limit)?, self.roles.clone()))
    }

    fn file(
        &mut self,
        roads: &Roads<'_>,
        asker: &Asker,
        order: &Order<'_>,
        limit: Duration,
    ) -> Result<ask::Answer, Error> {
        let Order { role, time, reason } = order;
        self.asks(format!("file {role} {time:?} {reason}"), roads, asker, limit)
    }

    fn progress(
        &mut self,
        roads: &Roads<'_>,
        asker: &Asker,
        id: RequestId,
        limit: Duration,
    ) -> Result<ask::Answer, Error> {
        self.asks(format!("progress {id}"), roads, asker, limit)
    }

    fn prompt(&mut self, text: &str) -> Option<Vec<u8>> {
        self.did.push(format!("prompt {text}"));
        self.typed.pop_front()
    }

    fn note_recovery(&mut self, service: &str, account: &UserName) {
        self.did.push(format!("note {service} {account}"));
    }

    fn limit_session(&mut self, seconds: u64) {
        self.did.push(format!("limit {seconds}"));
    }

    fn say(&mut self, line: &str) {
        self.did.push(format!("say {line}"));
    }

    fn log(&mut self, level: Level, line: &str) {
        self.did.push(format!("log {level:?} {line}"));
    }
}

fn answer(question: &Question, verdict: &str) -> Answer {
    Answer {
        nonce: question.nonce.clone(),
        service: question.service.clone(),
        user: question.user.clone(),
        verdict: verdict.to_owned(),
        reason: String::new(),
        text: String::new(),
        grant: String::new(),
        remaining: 0,
    }
}

fn allow(question: &Question) -> Result<Answer, Error> {
    Ok(Answer { grant: "g-4k7m2qx9".into(), remaining: 3600, ..answer(question, "allow") })
}

fn deny(question: &Question) -> Result<Answer, Error> {
    let text = "No window is open for you here. Ask for one: jitctl request db-oncall";
    Ok(Answer { reason: "no-window".into(), text: text.into(), ..answer(question, "deny") })
}

fn exempt(question: &Question) -> Result<Answer, Error> {
    Ok(Answer { reason: "exempt".into(), ..answer(question, "unmanaged") })
}

fn unknown(question: &Question) -> Result<Answer, Error> {
    Ok(Answer { reason: "unknown-user".into(), text: "?".into(), ..answer(question, "deny") })
}

fn absent(_: &Question) -> Result<Answer, Error> {
    Err(Error::Absent { private: Errno::ENOENT, bus: Some(Errno::ECONNREFUSED) })
}

fn not_started(_: &Question) -> Result<Answer, Error> {
    Err(Error::NotStarted { name: "org.freedesktop.DBus.Error.ServiceUnknown".into(), text: String::new() })
}

fn cannot_decide(_: &Question) -> Result<Answer, Error> {
    Err(Error::CannotDecide("the disk is full".into()))
}

fn deadline(_: &Question) -> Result<Answer, Error> {
    Err(Error::Deadline { limit: Duration::from_secs(3), doing: "Check".into() })
}

fn no_descriptors(_: &Question) -> Result<Answer, Error> {
    Err(Error::System { doing: "connect".into(), errno: Errno::EMFILE })
}

fn closed(_: &Question) -> Result<Answer, Error> {
    Err(Error::Closed("/run/jitd/private".into()))
}

fn refused(_: &Question) -> Result<Answer, Error> {
    Err(Error::Refused { doing: "Check".into(), name: "a.b.NotPermitted".into(), text: String::new() })
}

fn unbelievable(_: &Question) -> Result<Answer, Error> {
    Err(Error::Unbelievable("somebody else answered".into()))
}

pub(crate) fn never(_: &Question) -> Result<Answer, Error> {
    panic!("jitd was asked")
}

/// States in which jitd is known to be absent or unable; and those that somebody may have brought about.
const SOFT: [Jitd; 3] = [absent, not_started, cannot_decide];
const HARD: [Jitd; 5] = [deadline, no_descriptors, closed, refused, unbelievable];

const RECOVERY: &[&CStr] = &[c"recovery=root,maria"];

#[test]
fn a_window_is_success_logged_and_silent() {
    let mut host = Script::sshd(allow);
    assert_eq!(host.account(&[]), PAM_SUCCESS);
    assert_eq!(
        host.did,
        [
            "ask account sshd user=maria ruser= rhost=10.1.2.3 tty=ssh uid=0 flags=0 both 3s",
            r#"log Info allowed grant="g-4k7m2qx9" remaining="3600s" user="maria" caller="0" rhost="10.1.2.3" tty="ssh""#,
        ]
    );
}

#[test]
fn a_denial_is_logged_and_tells_the_person_what_to_do() {
    let mut host = Script::sshd(deny);
    assert_eq!(host.account(&[]), PAM_PERM_DENIED);
    assert_eq!(
        host.did[1..],
        [
            r#"log Notice denied reason="no-window" user="maria" caller="0" rhost="10.1.2.3" tty="ssh""#,
            "say No window is open for you here. Ask for one: jitctl request db-oncall",
        ]
    );
}

#[test]
fn silent_keeps_the_conversation_quiet_and_never_the_log() {
    for jitd in [deny, absent, unbelievable] {
        let mut host = Script::sshd(jitd);
        assert_ne!(account(&mut host, &[], PAM_SILENT), PAM_SUCCESS);
        assert!(host.did("log") && !host.did("say"), "{:?}", host.did);
    }
    let mut host = Script::sshd(never);
    assert_eq!(account(&mut host, &[c"typo"], PAM_SILENT), PAM_SERVICE_ERR);
    assert!(host.did("log Error") && !host.did("say"));
}

#[test]
fn what_is_not_managed_is_ignored_without_a_word() {
    let mut host = Script::sshd(exempt);
    assert_eq!(host.account(&[]), PAM_IGNORE);
    assert_eq!(host.did.len(), 1, "{:?}", host.did);
    let mut host = Script::sshd(exempt);
    assert_eq!(host.account(&[c"debug"]), PAM_IGNORE);
    assert!(host.did("log Debug unmanaged reason=\"exempt\""));
}

#[test]
fn every_row_of_the_table_has_its_code() {
    for (jitd, at_account, at_session) in [
        (allow as Jitd, PAM_SUCCESS, PAM_SUCCESS),
        (exempt, PAM_IGNORE, PAM_IGNORE),
        (deny, PAM_PERM_DENIED, PAM_PERM_DENIED),
        (unknown, PAM_USER_UNKNOWN, PAM_PERM_DENIED),
        (absent, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (not_started, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (cannot_decide, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (deadline, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (no_descriptors, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (closed, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (refused, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
        (unbelievable, PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED),
    ] {
        assert_eq!(Script::sshd(jitd).account(&[]), at_account);
        assert_eq!(Script::sshd(jitd).open(&[]), at_session);
    }
    assert_eq!(Script::sshd(never).account(&[c"typo"]), PAM_SERVICE_ERR);
    assert_eq!(Script::sshd(never).open(&[c"typo"]), PAM_PERM_DENIED);
}

#[test]
fn without_a_decision_the_person_is_told_whom_to_tell_and_the_log_why() {
    let mut host = Script::sshd(deadline);
    host.account(&[]);
    assert_eq!(
        host.did[1..],
        [
            r#"log Error refused because="no answer within 3s (Check)" user="maria" caller="0" rhost="10.1.2.3" tty="ssh""#,
            "say jit: access control is not answering; nothing was changed. \
             Tell an administrator: systemctl status jitd",
        ]
    );
}

#[test]
fn a_bad_argument_is_named_in_the_log_and_nothing_is_asked() {
    let mut host = Script::sshd(never);
    assert_eq!(host.account(&[c"recovry=root"]), PAM_SERVICE_ERR);
    assert!(
        host.did("log Error refused because=\"argument \\\"recovry=root\\\" in the PAM line: it is unknown")
    );
}

#[test]
fn the_session_asks_again_and_hands_on_the_time_that_is_left() {
    let mut host = Script::sshd(allow);
    assert_eq!(host.open(&[]), PAM_SUCCESS);
    assert!(host.did[0].starts_with("ask session sshd") && host.did[1] == "limit 3600", "{:?}", host.did);

    let mut host = Script::sshd(exempt);
    assert_eq!(host.open(&[]), PAM_IGNORE);
    assert!(!host.did("limit"));
}

#[test]
fn the_check_claims_a_use_only_where_the_account_line_says_session() {
    let mut host = Script::sshd(allow);
    host.account(&[c"session"]);
    assert!(host.did[0].contains(&format!("flags={FLAG_CLAIM}")), "{:?}", host.did);

    let mut host = Script::sshd(allow);
    host.open(&[c"session"]);
    assert!(host.did[0].contains("flags=0"), "{:?}", host.did);
}

#[test]
fn the_items_are_read_again_at_each_stage() {
    let mut host = Script::caller("sudo", allow);
    host.set(Item::User, "maria");
    host.account(&[]);
    host.set(Item::User, "root");
    host.open(&[]);
    assert!(host.did[0].contains("user=maria ruser=maria"), "{:?}", host.did);
    assert!(
        host.did.iter().any(|did| did.contains("ask session sudo user=root ruser=maria")),
        "{:?}",
        host.did
    );
}

#[test]
fn auth_admits_nobody_setcred_succeeds_and_passwords_are_not_ours() {
    let mut host = Script::sshd(never);
    assert_eq!(authenticate(&mut host, &[], 0), PAM_IGNORE);
    assert!(host.did.is_empty(), "without `request`, an auth line does nothing");
    assert_eq!((setcred(), chauthtok()), (PAM_SUCCESS, PAM_IGNORE));
}

#[test]
fn closing_tells_jitd_over_its_own_socket_briefly_and_cannot_fail() {
    for jitd in HARD.into_iter().chain(SOFT).chain([allow as Jitd, deny]) {
        let mut host = Script::sshd(jitd);
        assert_eq!(close_session(&mut host, &[c"timeout=10", c"recovery=maria"]), PAM_SUCCESS);
        let asked = "ask close sshd user=maria ruser= rhost=10.1.2.3 tty=ssh uid=0 flags=0 private 500ms";
        assert_eq!(host.did, [asked]);
    }
    let mut host = Script::sshd(never);
    assert_eq!(close_session(&mut host, &[c"typo"]), PAM_SUCCESS);
    host.set(Item::User, "");
    assert_eq!(close_session(&mut host, &[]), PAM_SUCCESS);
    assert!(host.did.is_empty());
}

#[test]
fn root_running_su_or_sudo_is_ignored_and_nobody_is_asked() {
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        for ruser in ["root", "", "toor"] {
            let mut host = Script::caller(service, never);
            host.real_uid = 0;
            host.set(Item::RUser, ruser);
            assert_eq!((host.account(&[]), host.open(&[])), (PAM_IGNORE, PAM_IGNORE), "{service} {ruser}");
            assert_eq!(close_session(&mut host, &[]), PAM_SUCCESS);
            assert!(host.did.is_empty());
        }
    }
}

#[test]
fn root_running_su_needs_no_name_service() {
    let mut host = Script::caller("su", never);
    host.real_uid = 0;
    host.accounts.clear();
    for ruser in [Some("root"), None] {
        host.items.remove(&Item::RUser);
        if let Some(name) = ruser {
            host.set(Item::RUser, name);
        }
        assert_eq!(host.account(&[]), PAM_IGNORE);
    }
    assert!(host.looked_up.borrow().is_empty());
}

#[test]
fn a_sudo_that_made_itself_root_still_says_whose_it_is() {
    let mut host = Script::caller("sudo", deny);
    host.real_uid = 0;
    assert_eq!(host.open(&[]), PAM_PERM_DENIED);
    assert!(host.did[0].contains("user=root ruser=maria") && host.did[0].contains("uid=0"), "{:?}", host.did);
}

#[test]
fn a_login_as_root_is_asked_about() {
    let mut host = Script::sshd(deny);
    host.set(Item::User, "root");
    assert_eq!(host.account(&[]), PAM_PERM_DENIED);
}

#[test]
fn a_user_that_cannot_exist_is_unknown() {
    let long = "x".repeat(256);
    let huge = "x".repeat(MAX_TEXT + 1);
    for bad in [&b""[..], b"-rf", b"a%n", b"a\nb", b"\xff", b"a b", long.as_bytes(), huge.as_bytes()] {
        let mut host = Script::sshd(never);
        host.set(Item::User, bad);
        assert_eq!(host.account(RECOVERY), PAM_USER_UNKNOWN);
        assert!(host.did("log Notice refused") && !host.did("say"), "{:?}", host.did);
    }
    let mut host = Script::sshd(never);
    host.items.remove(&Item::User);
    assert_eq!(host.account(&[]), PAM_USER_UNKNOWN);
    assert_eq!(Script::sshd(unknown).account(&[]), PAM_USER_UNKNOWN);
}

#[test]
fn an_item_that_cannot_be_passed_on_as_it_is_refuses_and_is_never_cut() {
    let huge = "x".repeat(MAX_TEXT + 1);
    for item in [Item::Service, Item::RUser, Item::RHost, Item::Tty] {
        for bad in [&b"\xff\xfe"[..], huge.as_bytes()] {
            let mut host = Script::sshd(never);
            host.set(item, bad);
            assert_eq!(host.account(RECOVERY), PAM_PERM_DENIED, "{item:?}");
            assert!(
                host.did("log Notice refused because=\"PAM_") && host.did("say jit: refused"),
                "{:?}",
                host.did
            );
        }
    }
    let mut host = Script::sshd(allow);
    host.set(Item::RHost, "x".repeat(MAX_TEXT));
    assert_eq!(host.account(&[]), PAM_SUCCESS);
}

#[test]
fn an_answer_to_another_question_is_not_believed() {
    let wrong: [Jitd; 6] = [
        |q| Ok(Answer { nonce: vec![8; NONCE_LEN], ..allow(q)? }),
        |q| Ok(Answer { nonce: vec![], ..allow(q)? }),
        |q| Ok(Answer { service: "sudo".into(), ..allow(q)? }),
        |q| Ok(Answer { user: "root".into(), ..allow(q)? }),
        |q| Ok(Answer { verdict: "Allow".into(), ..allow(q)? }),
        |q| Ok(Answer { text: "x".repeat(MAX_TEXT + 1), ..allow(q)? }),
    ];
    for jitd in wrong {
        let mut host = Script::sshd(jitd);
        assert_eq!(host.account(&[c"recovery=maria"]), PAM_AUTHINFO_UNAVAIL);
        assert!(host.did("log Error refused because=\"the answer is not believed: "), "{:?}", host.did);
    }
}

#[test]
fn what_jitd_says_is_escaped_before_it_reaches_a_terminal() {
    let mut host = Script::sshd(|q| Ok(Answer { text: "a\u{1b}[2J\nb".into(), ..deny(q)? }));
    host.account(&[]);
    assert!(host.did("say a\\u{1b}[2J\\u{a}b"), "{:?}", host.did);
}

#[test]
fn a_denial_without_a_text_still_says_something() {
    let mut host = Script::sshd(|q| Ok(Answer { text: String::new(), ..deny(q)? }));
    host.account(&[]);
    assert!(host.did("say jit: access to sshd is denied: no-window"), "{:?}", host.did);
}

#[test]
fn recovery_lets_a_named_account_in_when_jitd_is_not_there_or_cannot_decide() {
    for jitd in SOFT {
        let mut host = Script::sshd(jitd);
        assert_eq!((host.account(RECOVERY), host.open(RECOVERY)), (PAM_IGNORE, PAM_IGNORE));
        assert_eq!(host.did[1], "note sshd maria");
        assert!(
            host.did[2]
                .starts_with("log Alert RECOVERY: let in without a decision account=\"maria\" because=")
        );
        assert!(!host.did("say") && !host.did("limit"), "{:?}", host.did);
        assert!(host.looked_up.borrow().is_empty(), "the name service is not needed for this");
    }
}

#[test]
fn recovery_lets_nobody_else_in_and_asks_the_name_service_about_nobody_else() {
    for jitd in SOFT.into_iter().chain(HARD) {
        for args in [&[][..], &[c"recovery=root,erik,mari,maria2"]] {
            let mut host = Script::sshd(jitd);
            assert_eq!(host.account(args), PAM_AUTHINFO_UNAVAIL);
            assert!(host.looked_up.borrow().is_empty() && !host.did("note"));
        }
    }
}

#[test]
fn recovery_never_turns_a_denial_around() {
    for jitd in [deny as Jitd, unknown] {
        assert_ne!(Script::sshd(jitd).account(RECOVERY), PAM_IGNORE);
        assert_ne!(Script::sshd(jitd).open(RECOVERY), PAM_IGNORE);
    }
}

#[test]
fn a_state_that_somebody_may_have_brought_about_recovers_only_uid_0() {
    for jitd in HARD {
        let mut host = Script::sshd(jitd);
        assert_eq!(host.account(RECOVERY), PAM_AUTHINFO_UNAVAIL);
        assert_eq!(host.open(RECOVERY), PAM_PERM_DENIED);
        for name in ["root", "toor"] {
            let mut host = Script::sshd(jitd);
            host.set(Item::User, name);
            assert_eq!(host.account(&[c"recovery=root,toor,maria"]), PAM_IGNORE);
            assert_eq!(host.account(&[c"recovery=maria"]), PAM_AUTHINFO_UNAVAIL);
        }
    }
    let mut host = Script::sshd(never);
    host.set(Item::User, "root");
    host.nonce = Err(Error::System { doing: "draw a nonce".into(), errno: Errno::EAGAIN });
    assert_eq!(host.account(RECOVERY), PAM_IGNORE);
}

#[test]
fn an_account_named_root_that_is_not_uid_0_is_nothing_special() {
    for accounts in [vec![("root", 1)], vec![]] {
        let mut host = Script::sshd(deadline);
        host.accounts = accounts;
        host.set(Item::User, "root");
        assert_eq!(host.account(RECOVERY), PAM_AUTHINFO_UNAVAIL);
    }
}

#[test]
fn su_by_maria_to_root_is_not_recovered_by_root() {
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        for jitd in SOFT.into_iter().chain(HARD) {
            let mut host = Script::caller(service, jitd);
            assert_eq!(host.account(&[c"recovery=root"]), PAM_AUTHINFO_UNAVAIL);
        }
        let mut host = Script::caller(service, absent);
        assert_eq!(host.account(RECOVERY), PAM_IGNORE, "maria herself is listed here");
    }
}

#[test]
fn a_caller_who_claims_to_be_somebody_else_is_not_recovered() {
    for lie in ["root", "erik", "nobody-knows", "", "-rf"] {
        for jitd in SOFT.into_iter().chain(HARD) {
            let mut host = Script::caller("su", jitd);
            host.set(Item::RUser, lie);
            let code = host.account(&[c"recovery=root,erik,nobody-knows"]);
            assert_eq!(code, PAM_AUTHINFO_UNAVAIL, "{lie}");
            assert!(!host.did("note"));
        }
    }
}

#[test]
fn a_panic_is_an_abort_and_a_line_in_the_log() {
    let mut host = Script::sshd(|_| panic!("a bug"));
    assert_eq!(crate::edge::contained(&mut host, |host| account(host, &[], 0)), PAM_ABORT);
    assert_eq!(host.did[1..], [r#"log Alert refused: internal error panic="a bug""#]);
    let mut host = Script::sshd(allow);
    assert_eq!(crate::edge::contained(&mut host, |host| account(host, &[], 0)), PAM_SUCCESS);
}
