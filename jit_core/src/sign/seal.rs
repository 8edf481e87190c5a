//! The seal of a request's file: the signature of the host's key over its exact text. It travels beside the file, so that
//! whoever approves sees what the host wrote and not what somebody made of it on the way. File, empty line and seal are a
//! signed note (c2sp.org/signed-note), which other programs verify.

use crate::proof::checkpoint::Signs;
use crate::proof::note::{self, HostKey, PublicKey};

/// The seal of a text: one line of a signed note.
#[must_use]
pub fn seal(text: &str, key: &HostKey) -> String {
    let name = key.public().name().clone();
    let note = note::write(text, &name, &key.sign(text));
    note.get(text.len() + 1..).unwrap_or_default().to_owned()
}

/// Whether a seal is that of this text by this key.
#[must_use]
pub fn sealed(text: &str, seal: &str, key: &PublicKey) -> Signs {
    let note = format!("{text}\n{seal}");
    let Ok((signed, signatures)) = note::read(&note) else { return Signs::Not };
    // Not a seal that brings a text of its own.
    if signed != text {
        return Signs::Not;
    }
    let mut found = Signs::Not;
    for (name, signature) in signatures {
        if name == *key.name() && signature.id() == key.id() {
            if key.signed(text, &signature) {
                return Signs::Well;
            }
            found = Signs::Badly;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../offline-vectors/r-4k7m2qx9.req");

    fn key(seed: u8) -> HostKey {
        HostKey::from_seed("db-1/jitd".parse().unwrap(), &[seed; 32])
    }

    #[test]
    fn a_seal_is_of_one_text_and_one_key() {
        let made = seal(FILE, &key(1));
        assert!(made.starts_with("\u{2014} db-1/jitd ") && made.ends_with('\n'), "{made}");
        assert_eq!(sealed(FILE, &made, &key(1).public()), Signs::Well);
        assert_eq!(sealed(FILE, &made, &key(2).public()), Signs::Not);
        let changed = FILE.replacen("user: ", "user: x", 1);
        assert_eq!(sealed(&changed, &made, &key(1).public()), Signs::Badly);
        for bad in ["", "\n", "\u{2014} db-1/jitd AAAA\n", made.trim_end()] {
            assert_eq!(sealed(FILE, bad, &key(1).public()), Signs::Not, "{bad}");
        }
    }

    #[test]
    fn a_seal_that_brings_a_text_of_its_own_seals_nothing() {
        // The longer text is signed, and what is shown is only its beginning.
        let longer = format!("{FILE}\nuser: root\n");
        let made = seal(&longer, &key(1));
        let smuggled = format!("user: root\n\n{made}");
        assert_eq!(sealed(FILE, &smuggled, &key(1).public()), Signs::Not);
        assert_eq!(sealed(&longer, &made, &key(1).public()), Signs::Well);
    }

    #[test]
    fn a_seal_is_no_checkpoint_and_a_checkpoint_no_seal() {
        use crate::proof::checkpoint::{Kept, Signed};
        use crate::proof::merkle::Frontier;
        let made = seal(FILE, &key(1));
        let note = format!("{FILE}\n{made}");
        assert!(note.parse::<Kept>().is_err());
        let checkpoint = Signed::over(&Frontier::default(), &key(1));
        let (_, line) = {
            let note = checkpoint.to_string();
            let (text, line) = note.rsplit_once("\n\n").unwrap();
            (text.to_owned(), line.to_owned())
        };
        assert_eq!(sealed(FILE, &line, &key(1).public()), Signs::Badly);
    }
}
