//! Checkpoints and keys against the examples of their specifications, and against whoever changes them.

use super::*;
use crate::proof::merkle::leaf;

/// Of c2sp.org/signed-note: the key and the note of its example, which Go's `sumdb/note` made.
const PETERNEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\
                    \n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const PRIVATE_KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

fn key(name: &str, seed: u8) -> HostKey {
    HostKey::from_seed(name.parse().unwrap(), &[seed; 32])
}

fn tree(count: u32) -> Frontier {
    let mut tree = Frontier::default();
    for number in 0..count {
        tree.append(leaf(&number.to_le_bytes()));
    }
    tree
}

#[test]
fn a_key_and_a_note_of_another_implementation_read_and_verify() {
    let public: PublicKey = PETERNEUMANN.parse().unwrap();
    let (text, signatures) = note::read(NOTE).unwrap();
    let [(name, signature)] = &signatures[..] else { panic!("{signatures:?}") };
    assert_eq!((name.as_str(), public.to_string().as_str()), ("PeterNeumann", PETERNEUMANN));
    assert!(public.signed(text, signature));
    assert!(!public.signed(&text.replace("answer", "Answer"), signature));
    // And with their private key we write the same note, byte by byte.
    let private = HostKey::from_text(PRIVATE_KEY).unwrap();
    assert_eq!(private.public(), public);
    assert_eq!(note::write(text, name, &private.sign(text)), NOTE);
    assert_eq!(private.to_text().trim_end(), PRIVATE_KEY);
}

#[test]
fn a_checkpoint_is_the_text_of_the_specification() {
    let signed = Signed::over(&tree(7), &key("db-1/jitd", 1));
    let note = signed.to_string();
    let lines: Vec<_> = note.lines().collect();
    let root = BASE64.encode(tree(7).root().0);
    assert_eq!(lines[..4], ["db-1/jitd", "7", root.as_str(), ""]);
    assert!(lines[4].starts_with("\u{2014} db-1/jitd "), "{note}");
    assert_eq!((lines.len(), note.ends_with('\n')), (5, true));
    let kept: Kept = note.parse().unwrap();
    assert_eq!(kept, Kept::from(signed));
}

#[test]
fn a_checkpoint_with_any_byte_changed_is_not_one_that_the_key_signed() {
    let key = key("db-1/jitd", 1);
    let note = Signed::over(&tree(7), &key).to_string();
    let keys = [key.public()];
    assert_eq!(note.parse::<Kept>().unwrap().signed_by(&keys), Signs::Well);
    for place in 0..note.len() {
        for change in [1, 2, 4, 0x20] {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= change;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let signs = changed.parse::<Kept>().map(|kept| kept.signed_by(&keys));
            assert!(!matches!(signs, Ok(Signs::Well)), "byte {place}: {changed}");
        }
    }
}

#[test]
fn another_key_under_the_same_name_signs_nothing_for_this_one() {
    let (ours, theirs) = (key("db-1/jitd", 1), key("db-1/jitd", 2));
    let kept = |key: &HostKey| Kept::from(Signed::over(&tree(7), key));
    assert_eq!(kept(&theirs).signed_by(&[ours.public()]), Signs::Not);
    assert_eq!(kept(&ours).signed_by(&[ours.public()]), Signs::Well);
    assert_eq!(kept(&ours).signed_by(&[theirs.public(), ours.public()]), Signs::Well);
    assert_eq!(kept(&ours).signed_by(&[key("db-2/jitd", 1).public()]), Signs::Not);
    assert_eq!(kept(&ours).signed_by(&[]), Signs::Not);
}

#[test]
fn lines_behind_the_root_and_the_signatures_of_witnesses_are_read() {
    let key = key("db-1/jitd", 1);
    let text = format!("{}witnessed 2026\n", Signed::over(&tree(7), &key).checkpoint.text());
    let witness = self::key("witness.example", 9);
    let note = note::write(&text, witness.public().name(), &witness.sign(&text))
        + &format!("\u{2014} db-1/jitd {}\n", key.sign(&text))
        + "\u{2014} other.example AAAA\n";
    let kept: Kept = note.parse().unwrap();
    assert_eq!(kept.signed_by(&[key.public()]), Signs::Well);
    // A witness alone is not the host.
    assert_eq!(kept.signed_by(&[witness.public()]), Signs::Not);
    let changed: Kept = note.replace("2026", "2027").parse().unwrap();
    assert_eq!(changed.signed_by(&[key.public()]), Signs::Badly);
}

#[test]
fn the_line_that_a_log_has_of_a_checkpoint_is_the_checkpoint() {
    let signed = Signed::over(&tree(7), &key("db-1/jitd", 1));
    let Checkpoint { origin, size, root } = &signed.checkpoint;
    let message = format!(
        r#"checkpoint seq="9" origin="{origin}" size="{size}" root="{root}" signature="{}""#,
        signed.signature
    );
    let line = format!("Nov 29 12:00:00 db-1 jitd[7]: {message}\n");
    for text in [&message, &line] {
        assert_eq!(text.parse::<Kept>(), Ok(Kept::from(signed.clone())), "{text}");
    }
}

#[test]
fn what_is_no_checkpoint_key_or_name_is_refused_by_its_reason() {
    let note = Signed::over(&tree(7), &key("db-1/jitd", 1)).to_string();
    let read = |text: &str| text.parse::<Kept>();
    for (text, why) in [
        (note.replace("\n7\n", "\n07\n"), BadCheckpoint::Text),
        (note.replace("\n7\n", "\n-7\n"), BadCheckpoint::Text),
        (note.replace("\n7\n", "\n\n"), BadCheckpoint::Text),
        (note.trim_end().to_owned(), BadCheckpoint::Note(BadNote::Form)),
        (note.replace('\u{2014}', "-"), BadCheckpoint::Note(BadNote::Form)),
        (note.replace('\n', "\r\n"), BadCheckpoint::Note(BadNote::Form)),
        (String::new(), BadCheckpoint::Note(BadNote::Form)),
    ] {
        assert_eq!(read(&text), Err(why), "{text:?}");
    }
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "\u{202e}b"] {
        assert_eq!(name.parse::<KeyName>(), Err(BadNote::Name), "{name:?}");
    }
    let public = key("db-1/jitd", 1).public().to_string();
    assert!(public.parse::<PublicKey>().is_ok());
    for bad in [public.replace("db-1", "db-2"), public.replacen('+', " ", 1), String::new(), "a+b+c".into()] {
        assert_eq!(bad.parse::<PublicKey>(), Err(BadNote::PublicKey), "{bad}");
    }
    let private = key("db-1/jitd", 1).to_text();
    assert!(HostKey::from_text(&private).is_ok());
    for bad in [private.replace("db-1", "db-2"), private.replace("PRIVATE", "PUBLIC"), String::new()] {
        assert!(matches!(HostKey::from_text(&bad), Err(BadNote::PrivateKey)));
    }
}

#[test]
fn a_private_key_is_shown_by_no_formatting() {
    let key = key("db-1/jitd", 1);
    assert_eq!(format!("{key:?}"), format!("HostKey({})", key.public().id()));
}
