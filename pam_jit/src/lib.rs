//! `pam_jit.so`: asks jitd whether a window admits the subject, and gives libpam the answer.
//!
//! hooks → question → road → outcome → PAM code; an `auth` line asks by way of asking → road. The module decides nothing itself and remembers nothing: every
//! call of a hook opens one socket, asks one question and closes it again, under one deadline. It runs inside
//! sshd, login, su and sudo, so it leaves nothing behind there (DESIGN law 11), and whatever goes wrong is a
//! refusal, but for the accounts that the administrator wrote into the PAM line (`recovery=`, DESIGN law 1).
//!
//! pam_jit(8) is the manual.
#![deny(unsafe_code)]

mod args;
mod asking;
mod edge;
mod error;
mod ffi;
mod hooks;
mod host;
mod link;
mod log;
mod outcome;
mod question;
mod recovery;
mod road;
mod wire;
