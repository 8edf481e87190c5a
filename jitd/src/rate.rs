//! How often one user may do what costs everybody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jit_proto::words::Uid;

/// How often one user may do something that may leave a record: no user's loop may fill the disk that everybody's
/// logins need.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// How often at most.
    most: u32,
    /// In this time.
    span: Duration,
    what: &'static str,
    taken: Mutex<HashMap<Uid, (u32, Duration)>>,
}

/// Somebody has spent their share.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{most} {what}")]
pub(crate) struct TooOften {
    most: u32,
    what: &'static str,
}

impl RateLimiter {
    /// Questions to the gate by whoever is not root: 20 a minute.
    pub(crate) fn of_questions() -> Self {
        Self::new(20, Duration::from_mins(1), "questions a minute are answered; try again in a minute")
    }

    /// Questions of one account that asks about others: 1200 a minute. It is a program that serves many people, and a
    /// record of each whom it lets in goes to the disk.
    pub(crate) fn of_askers() -> Self {
        Self::new(
            1200,
            Duration::from_mins(1),
            "questions a minute are answered to one asker; try again in a minute",
        )
    }

    /// Requests, each of which is a record and somebody's work: 30 an hour.
    pub(crate) fn of_requests() -> Self {
        Self::new(30, Duration::from_hours(1), "requests an hour are taken from one person; try again later")
    }

    /// Signed texts, each of which is a verification and at most a record: 60 an hour.
    pub(crate) fn of_signatures() -> Self {
        Self::new(
            60,
            Duration::from_hours(1),
            "signed files an hour are taken from one person; try again later",
        )
    }

    /// Codes, each of which is at most a record: 60 an hour.
    pub(crate) fn of_codes() -> Self {
        Self::new(60, Duration::from_hours(1), "codes an hour are taken from one person; try again later")
    }

    fn new(most: u32, span: Duration, what: &'static str) -> Self {
        Self { most, span, what, taken: Mutex::default() }
    }

    /// Takes one of the caller's share, or says that it is spent. `now` is the boot clock's.
    pub(crate) fn take(&self, uid: Uid, now: Duration) -> Result<(), TooOften> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, (_, since)| now.saturating_sub(*since) < self.span);
        let (count, _) = taken.entry(uid).or_insert((0, now));
        if *count >= self.most {
            return Err(TooOften { most: self.most, what: self.what });
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_askers_flood_is_cut_off_and_no_other_askers_question_with_it() {
        let limiter = RateLimiter::of_askers();
        let (postgres, dovecot) = (Uid::try_from(112).unwrap(), Uid::try_from(113).unwrap());
        for _ in 0..limiter.most {
            limiter.take(postgres, Duration::ZERO).unwrap();
        }
        assert!(
            limiter.take(postgres, Duration::ZERO).unwrap_err().to_string().starts_with("1200 questions")
        );
        assert!(limiter.take(dovecot, Duration::ZERO).is_ok());
    }

    #[test]
    fn one_users_loop_is_cut_off_and_nobody_elses_question_with_it() {
        let limiter = RateLimiter::of_questions();
        let (maria, erik) = (Uid::try_from(1001).unwrap(), Uid::try_from(1002).unwrap());
        let start = Duration::from_secs(5);
        for _ in 0..limiter.most {
            limiter.take(maria, start).unwrap();
        }
        assert!(limiter.take(maria, start).is_err());
        assert!(limiter.take(erik, start).is_ok());
        assert!(limiter.take(maria, start + limiter.span).is_ok());
    }
}
