//! The kinds of findings. jit-policy(5) explains each; a test holds the two together. A number, once given out,
//! keeps its meaning: people search for it.

use std::fmt;

/// Whether a finding keeps the policy from loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is loaded.
    Error,
    /// It is loaded, and somebody should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One kind of finding.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
}

const fn error(id: &'static str) -> Code {
    Code { id, severity: Severity::Error }
}

const fn warning(id: &'static str) -> Code {
    Code { id, severity: Severity::Warning }
}

// Files.
pub(crate) const NO_FILES: Code = error("JIT001");
pub(crate) const TOO_MANY_FILES: Code = error("JIT002");
pub(crate) const FILE_TOO_LONG: Code = error("JIT003");
pub(crate) const SAME_FILE_NAME: Code = error("JIT004");
pub(crate) const NOT_UTF8: Code = error("JIT005");
pub(crate) const UNPRINTABLE: Code = error("JIT006");
pub(crate) const NOT_TOML: Code = error("JIT007");

// Keys and values.
pub(crate) const NO_VERSION: Code = error("JIT010");
pub(crate) const OTHER_VERSION: Code = error("JIT011");
pub(crate) const UNKNOWN_KEY: Code = error("JIT012");
// 13 was for parts of the language that jitd did not act on.
pub(crate) const MISSING: Code = error("JIT014");
pub(crate) const WRONG_TYPE: Code = error("JIT015");
pub(crate) const EMPTY: Code = error("JIT016");
pub(crate) const BAD_NAME: Code = error("JIT017");
pub(crate) const BAD_DURATION: Code = error("JIT018");
pub(crate) const BAD_NUMBER: Code = error("JIT019");
pub(crate) const BAD_TEXT: Code = error("JIT020");
pub(crate) const LISTED_TWICE: Code = warning("JIT021");
pub(crate) const BAD_NETWORK: Code = error("JIT022");
pub(crate) const BAD_HOURS: Code = error("JIT023");
pub(crate) const BAD_PATTERN: Code = error("JIT024");
pub(crate) const BAD_CHOICE: Code = error("JIT025");

// What the rules say as a whole.
pub(crate) const DEFAULT_OVER_MAX: Code = error("JIT030");
pub(crate) const SAME_ROLE: Code = error("JIT031");
pub(crate) const TOO_MANY_ROLES: Code = error("JIT032");
pub(crate) const TOO_FEW_APPROVERS: Code = error("JIT033");
pub(crate) const NEVER_APPROVED: Code = error("JIT034");
pub(crate) const NO_ADMINS: Code = error("JIT035");
pub(crate) const NO_CONSOLE: Code = error("JIT036");
pub(crate) const SAME_PERSON: Code = error("JIT037");
pub(crate) const TWO_PERSONS: Code = error("JIT038");
pub(crate) const SAME_MODE: Code = error("JIT039");
pub(crate) const EASY_PATTERN: Code = error("JIT040");
pub(crate) const KEEP_MAX: Code = error("JIT041");
pub(crate) const LAPSE: Code = error("JIT042");
pub(crate) const SAME_STAGE: Code = error("JIT043");
pub(crate) const RUN_AS: Code = error("JIT044");
pub(crate) const THEN: Code = error("JIT045");
pub(crate) const NOT_DISTINCT: Code = error("JIT046");
pub(crate) const LOCKED_OUT: Code = error("JIT047");
pub(crate) const UNCHANGEABLE: Code = error("JIT048");
pub(crate) const SAME_CHANGE: Code = error("JIT049");
pub(crate) const SAME_RETAIN: Code = error("JIT056");

// What works, and should be looked at.
pub(crate) const OBSERVED: Code = warning("JIT050");
pub(crate) const FORGEABLE: Code = warning("JIT051");
pub(crate) const AMONG_THEMSELVES: Code = warning("JIT052");
pub(crate) const INCLUDED: Code = warning("JIT053");
pub(crate) const CANNOT_CHANGE: Code = warning("JIT054");
pub(crate) const NO_OVERRIDE: Code = warning("JIT055");
pub(crate) const SHORT_RETAIN: Code = warning("JIT057");

// What the system says of a file, before it is read.
pub(crate) const UNREADABLE: Code = error("JIT060");
pub(crate) const NOT_REGULAR: Code = error("JIT061");
pub(crate) const NOT_FOLDER: Code = error("JIT062");
pub(crate) const NOT_ROOTS: Code = error("JIT063");
pub(crate) const FILE_NAME: Code = error("JIT064");
pub(crate) const SETTINGS: Code = error("JIT065");
pub(crate) const SIGNERS: Code = error("JIT066");

// What one host says of the names in a policy.
pub(crate) const NO_SUCH_GROUP: Code = error("JIT070");
pub(crate) const NOBODY_HERE: Code = error("JIT071");
pub(crate) const TOO_FEW_HERE: Code = error("JIT072");
pub(crate) const NO_ADMIN_HERE: Code = error("JIT073");
pub(crate) const NO_WAY_IN: Code = error("JIT074");
pub(crate) const ADMIN_OUTSIDE: Code = warning("JIT075");
pub(crate) const GROUP_EMPTY: Code = warning("JIT076");
pub(crate) const NO_SUCH_ACCOUNT: Code = warning("JIT077");
pub(crate) const NO_MODULE: Code = warning("JIT078");
pub(crate) const CANNOT_TELL: Code = warning("JIT079");

pub(crate) const STANDING: Code = warning("JIT100");

// Programs that ask about others.
pub(crate) const BAD_ASKER: Code = error("JIT101");
pub(crate) const ASKS_FOR_OTHERS: Code = warning("JIT102");
pub(crate) const NO_SUCH_ASKER: Code = warning("JIT103");
pub(crate) const NO_END: Code = warning("JIT104");

// How logins at a service end.
pub(crate) const BAD_SERVICE: Code = error("JIT110");
pub(crate) const SAME_SERVICE: Code = error("JIT111");
pub(crate) const NO_ROLE_THERE: Code = warning("JIT112");

// People who share accounts.
pub(crate) const NO_PERSON: Code = error("JIT113");

// Two ends for one login.
pub(crate) const SESSION_TOO: Code = warning("JIT114");
pub(crate) const PROGRAM_TOO: Code = warning("JIT115");

// The end of a role, by what the host's clock says.
pub(crate) const ENDS_SOON: Code = warning("JIT130");
pub(crate) const ENDED: Code = warning("JIT131");
pub(crate) const LAST_WAY_IN: Code = warning("JIT137");

// Stages of long requests alone.
pub(crate) const ALL_ABOVE: Code = error("JIT132");
pub(crate) const NEVER_ABOVE: Code = warning("JIT133");

// Limits.
pub(crate) const SHORT_IN_ALL: Code = error("JIT134");
pub(crate) const IDLE_LIMIT: Code = warning("JIT135");

// Duties apart.
pub(crate) const APART_FROM_NONE: Code = error("JIT136");

// Teams.
pub(crate) const NO_TEAM: Code = error("JIT140");
pub(crate) const SAME_TEAM: Code = error("JIT141");
pub(crate) const LONE_LEAD: Code = warning("JIT142");
pub(crate) const NO_TEAM_HERE: Code = warning("JIT148");

// Several sets of people in one stage.
pub(crate) const SAME_APPROVERS: Code = error("JIT143");

// Exceptions.
pub(crate) const EXCEPTS_ALL: Code = error("JIT144");
pub(crate) const NAMED_AND_EXCEPTED: Code = warning("JIT145");
pub(crate) const NOWHERE: Code = error("JIT146");
pub(crate) const NARROWED_TWICE: Code = error("JIT147");
pub(crate) const IDLE_HOST: Code = warning("JIT149");

// What opens without a review.
pub(crate) const UNREVIEWED_ROOT: Code = error("JIT150");
pub(crate) const UNREVIEWED_TICKET: Code = error("JIT151");
pub(crate) const UNREVIEWED_WHEN: Code = error("JIT152");
pub(crate) const UNREVIEWED_NOWHERE: Code = error("JIT153");
pub(crate) const IDLE_UNREVIEWED: Code = warning("JIT154");
pub(crate) const UNCOUNTED: Code = warning("JIT155");

// Windows that begin with the hours.
pub(crate) const WITH_HOURS: Code = error("JIT156");

// What is written with an approval.
pub(crate) const NOTE_BY_CODE: Code = error("JIT157");

// Profiles and sets.
pub(crate) const NO_PROFILE: Code = error("JIT160");
pub(crate) const SAME_PROFILE: Code = error("JIT161");
pub(crate) const NO_SET: Code = error("JIT162");
pub(crate) const SAME_SET: Code = error("JIT163");
pub(crate) const TOO_MUCH_FILLED: Code = error("JIT164");
pub(crate) const UNUSED_PART: Code = warning("JIT165");

// What is more than was meant.
pub(crate) const LONG_EMERGENCY: Code = warning("JIT166");
pub(crate) const SILENT_EMERGENCY: Code = warning("JIT167");
pub(crate) const STANDING_ACCESS: Code = warning("JIT168");
pub(crate) const WEAKER: Code = warning("JIT169");
pub(crate) const SUDO_BESIDE_KIND: Code = warning("JIT170");
pub(crate) const NO_KEY_HERE: Code = warning("JIT171");
pub(crate) const NO_SUDOERS_LINE: Code = warning("JIT172");
pub(crate) const UNASKED_KIND: Code = warning("JIT173");

// Known tickets.
pub(crate) const NO_TICKET_GROUP: Code = error("JIT174");
pub(crate) const NO_REGISTER: Code = warning("JIT175");

/// Those of the last kind.
pub(crate) const OF_HOST: [Code; 22] = [
    NO_TEAM_HERE,
    NO_SUCH_GROUP,
    NOBODY_HERE,
    TOO_FEW_HERE,
    NO_ADMIN_HERE,
    NO_WAY_IN,
    ADMIN_OUTSIDE,
    GROUP_EMPTY,
    NO_SUCH_ACCOUNT,
    NO_MODULE,
    CANNOT_TELL,
    STANDING,
    NO_SUCH_ASKER,
    NO_END,
    SESSION_TOO,
    ENDS_SOON,
    ENDED,
    LAST_WAY_IN,
    NO_KEY_HERE,
    NO_SUDOERS_LINE,
    UNASKED_KIND,
    NO_REGISTER,
];

/// A file of test cases that cannot be read, or asks for what makes no sense.
pub const BAD_CASES: Code = error("JIT080");

// The list of findings itself.
pub(crate) const MORE: Code = warning("JIT090");
