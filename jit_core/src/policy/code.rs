//! The kinds of findings. jit-policy(5) explains each; a test holds the two together. A number, once given out,
//! keeps its meaning: people search for it.

use super::Severity;

/// One kind of finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) id: &'static str,
    pub(super) severity: Severity,
}

const fn error(id: &'static str) -> Code {
    Code { id, severity: Severity::Error }
}

const fn warning(id: &'static str) -> Code {
    Code { id, severity: Severity::Warning }
}

// Files.
pub(super) const NO_FILES: Code = error("JIT001");
pub(super) const TOO_MANY_FILES: Code = error("JIT002");
pub(super) const FILE_TOO_LONG: Code = error("JIT003");
pub(super) const SAME_FILE_NAME: Code = error("JIT004");
pub(super) const NOT_UTF8: Code = error("JIT005");
pub(super) const UNPRINTABLE: Code = error("JIT006");
pub(super) const NOT_TOML: Code = error("JIT007");

// Keys and values.
pub(super) const NO_VERSION: Code = error("JIT010");
pub(super) const OTHER_VERSION: Code = error("JIT011");
pub(super) const UNKNOWN_KEY: Code = error("JIT012");
// 13 was for parts of the language that jitd did not act on.
pub(super) const MISSING: Code = error("JIT014");
pub(super) const WRONG_TYPE: Code = error("JIT015");
pub(super) const EMPTY: Code = error("JIT016");
pub(super) const BAD_NAME: Code = error("JIT017");
pub(super) const BAD_DURATION: Code = error("JIT018");
pub(super) const BAD_NUMBER: Code = error("JIT019");
pub(super) const BAD_TEXT: Code = error("JIT020");
pub(super) const LISTED_TWICE: Code = warning("JIT021");
pub(super) const BAD_NETWORK: Code = error("JIT022");
pub(super) const BAD_HOURS: Code = error("JIT023");
pub(super) const BAD_PATTERN: Code = error("JIT024");
pub(super) const BAD_CHOICE: Code = error("JIT025");

// What the rules say as a whole.
pub(super) const DEFAULT_OVER_MAX: Code = error("JIT030");
pub(super) const SAME_ROLE: Code = error("JIT031");
pub(super) const TOO_MANY_ROLES: Code = error("JIT032");
pub(super) const TOO_FEW_APPROVERS: Code = error("JIT033");
pub(super) const NEVER_APPROVED: Code = error("JIT034");
pub(super) const NO_ADMINS: Code = error("JIT035");
pub(super) const NO_CONSOLE: Code = error("JIT036");
pub(super) const SAME_PERSON: Code = error("JIT037");
pub(super) const TWO_PERSONS: Code = error("JIT038");
pub(super) const SAME_MODE: Code = error("JIT039");
pub(super) const EASY_PATTERN: Code = error("JIT040");
pub(super) const KEEP_MAX: Code = error("JIT041");
pub(super) const LAPSE: Code = error("JIT042");
pub(super) const SAME_STAGE: Code = error("JIT043");
pub(super) const RUN_AS: Code = error("JIT044");
pub(super) const THEN: Code = error("JIT045");
pub(super) const NOT_DISTINCT: Code = error("JIT046");
pub(super) const LOCKED_OUT: Code = error("JIT047");

// What works, and should be looked at.
pub(super) const OBSERVED: Code = warning("JIT050");
pub(super) const FORGEABLE: Code = warning("JIT051");
pub(super) const AMONG_THEMSELVES: Code = warning("JIT052");
pub(super) const INCLUDED: Code = warning("JIT053");

// What the system says of a file, before it is read.
pub(super) const UNREADABLE: Code = error("JIT060");
pub(super) const NOT_REGULAR: Code = error("JIT061");
pub(super) const NOT_FOLDER: Code = error("JIT062");
pub(super) const NOT_ROOTS: Code = error("JIT063");
pub(super) const FILE_NAME: Code = error("JIT064");
pub(super) const SETTINGS: Code = error("JIT065");

// What one host says of the names in a policy.
pub(super) const NO_SUCH_GROUP: Code = error("JIT070");
pub(super) const NOBODY_HERE: Code = error("JIT071");
pub(super) const TOO_FEW_HERE: Code = error("JIT072");
pub(super) const NO_ADMIN_HERE: Code = error("JIT073");
pub(super) const NO_WAY_IN: Code = error("JIT074");
pub(super) const ADMIN_OUTSIDE: Code = warning("JIT075");
pub(super) const GROUP_EMPTY: Code = warning("JIT076");
pub(super) const NO_SUCH_ACCOUNT: Code = warning("JIT077");
pub(super) const NO_MODULE: Code = warning("JIT078");
pub(super) const CANNOT_TELL: Code = warning("JIT079");

/// Those of the last kind.
pub(super) const OF_HOST: [Code; 10] = [
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
];

// Test cases.
pub(super) const BAD_CASES: Code = error("JIT080");

// The list of findings itself.
pub(super) const MORE: Code = warning("JIT090");
