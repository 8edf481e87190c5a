//! The keys by which somebody logged in over ssh, as sshd tells PAM in `SSH_AUTH_INFO_0` (ExposeAuthInfo in
//! sshd_config(5)): a line for each method that succeeded, of which those count that say `publickey KIND BASE64`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::key::fingerprint;
use super::wire::{Reader, put};
use crate::model::{Certificate, LoginKey};
use crate::text::cut;

/// More keys than this are not kept; sshd asks for as many as AuthenticationMethods lists.
const MOST: usize = 8;

/// The most bytes of a certificate's id that are kept.
const ID_LIMIT: usize = 256;

/// Certificates (PROTOCOL.certkeys of OpenSSH): their kind, that of the key in them, and of how many strings the key is.
const CERTIFICATES: [(&str, &str, usize); 8] = [
    ("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2),
    ("ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2),
    ("ssh-dss-cert-v01@openssh.com", "ssh-dss", 4),
    ("sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

/// The keys that sshd says somebody logged in by, in its order. What cannot be read is left out: sshd has checked the
/// keys, and nobody is kept out because we do not know their kind.
#[must_use]
pub fn login_keys(auth_info: &str) -> Vec<LoginKey> {
    auth_info.lines().filter_map(login_key).take(MOST).collect()
}

fn login_key(line: &str) -> Option<LoginKey> {
    let mut words = line.split(' ');
    let (method, kind, key) = (words.next()?, words.next()?, words.next()?);
    if method != "publickey" {
        return None;
    }
    let blob = BASE64.decode(key).ok()?;
    let mut reader = Reader::new(&blob);
    if reader.text()? != kind {
        return None;
    }
    let Some((_, plain, strings)) = CERTIFICATES.iter().find(|(name, ..)| *name == kind) else {
        return Some(LoginKey { kind: kind.to_owned(), fingerprint: fingerprint(&blob), certificate: None });
    };
    reader.string()?; // the nonce
    let mut key = Vec::new();
    put(&mut key, plain.as_bytes());
    for _ in 0..*strings {
        put(&mut key, reader.string()?);
    }
    let serial = u64::from(reader.u32()?) << 32 | u64::from(reader.u32()?);
    reader.u32()?; // whether it is a user's or a host's
    let id = String::from_utf8_lossy(reader.string()?).into_owned();
    reader.string()?; // principals
    for _ in 0..4 {
        reader.u32()?; // valid after and before
    }
    for _ in 0..3 {
        reader.string()?; // options, extensions, and what is reserved
    }
    let certificate = Certificate { id: cut(id, ID_LIMIT), serial, authority: fingerprint(reader.string()?) };
    Some(LoginKey {
        kind: (*plain).to_owned(),
        fingerprint: fingerprint(&key),
        certificate: Some(certificate),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn keygen(dir: &Path, args: &[&str]) -> String {
        let done = Command::new("ssh-keygen").current_dir(dir).args(args).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// As sshd writes it: kind and key of a .pub file, without its comment.
    fn line(dir: &Path, file: &str) -> String {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        let words: Vec<_> = text.split(' ').take(2).collect();
        format!("publickey {}\n", words.join(" ").trim_end())
    }

    /// The second word of what `ssh-keygen -l` says: the fingerprint.
    fn shown(dir: &Path, file: &str) -> String {
        keygen(dir, &["-lf", file]).split(' ').nth(1).unwrap().to_owned()
    }

    #[test]
    fn keys_and_certificates_of_every_kind_are_told_as_ssh_keygen_tells_them() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        keygen(dir, &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
        for (kind, bits) in
            [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")]
        {
            let name = format!("{kind}{bits}");
            let mut args = vec!["-q", "-t", kind, "-N", "", "-f", &name];
            args.extend((!bits.is_empty()).then_some(["-b", bits]).into_iter().flatten());
            keygen(dir, &args);
            keygen(
                dir,
                &[
                    "-q",
                    "-s",
                    "ca",
                    "-I",
                    "kim, of \"Vendor\"",
                    "-z",
                    "18446744073709551615",
                    "-n",
                    "support",
                    &format!("{name}.pub"),
                ],
            );
            let plain = format!("{name}.pub");
            let [key] = &login_keys(&line(dir, &plain))[..] else { panic!("{name}") };
            assert_eq!((key.fingerprint.as_str(), &key.certificate), (shown(dir, &plain).as_str(), &None));
            let [by] = &login_keys(&line(dir, &format!("{name}-cert.pub")))[..] else { panic!("{name}") };
            assert_eq!(
                (&by.kind, &by.fingerprint),
                (&key.kind, &key.fingerprint),
                "the key in the certificate"
            );
            let certificate = by.certificate.as_ref().unwrap();
            assert_eq!((certificate.id.as_str(), certificate.serial), ("kim, of \"Vendor\"", u64::MAX));
            assert_eq!(certificate.authority, shown(dir, "ca.pub"));
        }
    }

    #[test]
    fn what_is_no_key_is_left_out_and_the_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        keygen(dir, &["-q", "-t", "ed25519", "-N", "", "-f", "one"]);
        let one = line(dir, "one.pub");
        let key = login_keys(&one);
        assert_eq!(key.len(), 1);
        let among = format!("password\n{one}keyboard-interactive/pam\ngssapi-with-mic kim@EXAMPLE\n\n");
        assert_eq!(login_keys(&among), key);
        let blob = one.trim_end().rsplit(' ').next().unwrap();
        for bad in [
            String::new(),
            "publickey".into(),
            "publickey ssh-ed25519".into(),
            "publickey ssh-ed25519 !!!".into(),
            "publickey ssh-ed25519 AAAA".into(),
            format!("publickey ssh-rsa {blob}"),
            format!("publickey ssh-ed25519-cert-v01@openssh.com {blob}"),
            format!("hostbased ssh-ed25519 {blob}"),
        ] {
            assert_eq!(login_keys(&bad), [], "{bad}");
        }
        assert_eq!(login_keys(&one.repeat(20)).len(), MOST);
        // Cut off anywhere, a certificate is none.
        keygen(dir, &["-q", "-s", "one", "-I", "id", "-n", "support", "one.pub"]);
        let whole = line(dir, "one-cert.pub");
        let whole = BASE64.decode(whole.trim_end().rsplit(' ').next().unwrap()).unwrap();
        let kind = "ssh-ed25519-cert-v01@openssh.com";
        let ca_end = whole.len() - (4 + 4 + 11 + 4 + 64);
        for length in 0..ca_end {
            let cut = BASE64.encode(&whole[..length]);
            assert_eq!(login_keys(&format!("publickey {kind} {cut}")), [], "{length} bytes");
        }
    }
}
