//! A timer that goes on while the machine sleeps, as windows do: on CLOCK_BOOTTIME (timerfd_create(2)). The runtime's own
//! timers are on CLOCK_MONOTONIC, which stands still meanwhile: after a night's sleep they would still wait for the rest
//! of the minute, and whatever ended in the night would go on for that long.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use zruntime::{AsyncIo, EventListener, Shared, SharedRuntime};

/// The timer. One task waits on it at a time.
pub(crate) struct Alarm {
    timer: AsyncIo<TimerFd, Shared>,
}

impl Alarm {
    /// A timer that is not set.
    pub(crate) fn new(runtime: &SharedRuntime) -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        Ok(Self { timer: AsyncIo::new_nonblocking(runtime, timer)? })
    }

    /// Waits until something rings, and no longer than this; the whole of time is for ever.
    pub(crate) async fn wait(&self, limit: Duration, rung: EventListener) {
        if let Err(err) = self.set(limit) {
            // Not to be had of a timer that could be made. Whoever waits looks again, if too soon.
            crate::log::error(format_args!("a timer cannot be set: {err}"));
            return;
        }
        let mut rung = pin!(rung);
        let mut due = pin!(self.timer.read_with(|timer| timer.wait().map_err(io::Error::from)));
        poll_fn(|context| {
            if rung.as_mut().poll(context).is_ready() || due.as_mut().poll(context).is_ready() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn set(&self, limit: Duration) -> nix::Result<()> {
        // Nothing is set that would take longer than a year: the kernel counts in 64 bits of nanoseconds.
        const LONG: Duration = Duration::from_hours(24 * 365);
        // Zero would be not to ring at all.
        let limit = limit.clamp(Duration::from_millis(1), LONG);
        let once = Expiration::OneShot(TimeSpec::from_duration(limit));
        self.timer.get_ref().set(once, TimerSetTimeFlags::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::Instant;

    #[test]
    fn it_rings_when_its_time_is_over_or_something_else_rings_first() {
        zruntime::block_on(async {
            let alarm = Alarm::new(&SharedRuntime::current().unwrap()).unwrap();
            let bell = zruntime::Event::new();
            let began = Instant::now();
            alarm.wait(Duration::from_millis(30), bell.listen()).await;
            assert!(began.elapsed() >= Duration::from_millis(30));

            // What it was set to before does not ring in the next wait.
            let wait = bell.listen();
            bell.notify(1);
            alarm.wait(Duration::from_millis(1), wait).await;
            let began = Instant::now();
            alarm.wait(Duration::from_millis(50), bell.listen()).await;
            assert!(began.elapsed() >= Duration::from_millis(50));
        });
    }

    #[test]
    fn it_is_on_the_clock_that_counts_sleep() {
        let alarm = Alarm::new(&SharedRuntime::current().unwrap()).unwrap();
        let descriptor = alarm.timer.get_ref().as_fd().as_raw_fd();
        let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
        // CLOCK_BOOTTIME is 7 (clock_gettime(2), linux/time.h).
        assert!(facts.lines().any(|line| line == "clockid: 7"), "{facts}");
    }
}
