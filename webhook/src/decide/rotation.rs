//! When a serving certificate and its authority are made anew, so that whoever trusts the one of before trusts the next one as well.
//!
//! A new authority is first published beside the old one, and signs only when every API server has had time to see it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// An authority of which certificates are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// The certificate that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// Whether the newest authority has signed it.
    pub by_newest: bool,
    /// Whether it names all hosts that it is wanted for.
    pub fits: bool,
}

/// What there is of certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Authorities that are trusted, the newest first.
    pub authorities: Vec<Authority>,
    /// What is served.
    pub served: Option<Served>,
}

/// How long things are valid, and how long it takes until what was published is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of the certificate that is served.
    pub served: Duration,
    /// Of an authority; several times as long.
    pub authority: Duration,
    /// From publishing an authority to relying on it.
    pub settle: Duration,
}

impl Lifetimes {
    /// Those that follow from the life of the certificate that is served.
    pub fn of(served: Duration) -> Self {
        let settle = (served / 20).clamp(Duration::from_secs(2), Duration::from_secs(300));
        Self { served, authority: served.saturating_mul(4), settle }
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Make a new authority, and put it before those that are trusted. Where nothing is served, it signs at once.
    NewAuthority,
    /// Make a new certificate of the newest authority.
    NewCertificate,
    /// Have all configurations trust what is to be trusted.
    Publish,
    /// Trust only so many of the authorities any longer.
    Keep(usize),
    /// Nothing before this moment, unless something changes.
    Wait(Timestamp),
}

/// What is to be done. `published` is for how long every configuration has been seen to trust all authorities; nothing where one does not.
pub fn turn(there: &Certificates, published: Option<Duration>, lifetimes: Lifetimes, now: Timestamp) -> Turn {
    let Some(newest) = there.authorities.first() else { return Turn::NewAuthority };
    let renewal = two_thirds(newest.not_before, newest.not_after);
    if now >= renewal {
        return Turn::NewAuthority;
    }
    let Some(served) = there.served.filter(|served| now < served.not_after) else { return Turn::NewCertificate };
    let due = two_thirds(served.not_before, served.not_after);
    if served.by_newest && (now >= due || !served.fits) {
        return Turn::NewCertificate;
    }
    let Some(published) = published else { return Turn::Publish };
    if !served.by_newest {
        let rest = lifetimes.settle.saturating_sub(published);
        return if rest.is_zero() {
            Turn::NewCertificate
        } else {
            Turn::Wait(now.saturating_add(signed(rest)).unwrap_or(now))
        };
    }
    let valid = there.authorities.iter().take_while(|authority| now < authority.not_after).count();
    if valid < there.authorities.len() {
        return Turn::Keep(valid);
    }
    let ends = there.authorities.iter().skip(1).map(|authority| authority.not_after);
    Turn::Wait(ends.chain([renewal, due]).min().unwrap_or(due))
}

fn two_thirds(from: Timestamp, until: Timestamp) -> Timestamp {
    from.saturating_add(from.duration_until(until) * 2 / 3).unwrap_or(until)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIFE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn authority(from: i64) -> Authority {
        Authority { not_before: at(from), not_after: at(from + 240) }
    }

    fn served(from: i64, by_newest: bool) -> Option<Served> {
        Some(Served { not_before: at(from), not_after: at(from + 60), by_newest, fits: true })
    }

    fn asked(authorities: &[i64], served: Option<Served>, published: Option<u64>, now: i64) -> Turn {
        let there = Certificates { authorities: authorities.iter().map(|from| authority(*from)).collect(), served };
        turn(&there, published.map(Duration::from_secs), Lifetimes::of(LIFE), at(now))
    }

    #[test]
    fn from_nothing_to_a_published_certificate() {
        assert_eq!(asked(&[], None, None, 0), Turn::NewAuthority);
        assert_eq!(asked(&[0], None, None, 0), Turn::NewCertificate);
        assert_eq!(asked(&[0], served(0, true), None, 0), Turn::Publish);
        assert_eq!(asked(&[0], served(0, true), Some(0), 0), Turn::Wait(at(40)));
    }

    #[test]
    fn at_two_thirds_the_certificate_is_renewed_by_the_same_authority() {
        assert_eq!(asked(&[0], served(0, true), Some(39), 39), Turn::Wait(at(40)));
        assert_eq!(asked(&[0], served(0, true), Some(40), 40), Turn::NewCertificate);
    }

    #[test]
    fn a_new_authority_signs_only_when_it_was_published_for_a_while() {
        assert_eq!(asked(&[0], served(130, true), Some(100), 160), Turn::NewAuthority);
        assert_eq!(asked(&[160, 0], served(130, false), None, 160), Turn::Publish);
        assert_eq!(asked(&[160, 0], served(130, false), Some(1), 161), Turn::Wait(at(163)));
        assert_eq!(asked(&[160, 0], served(130, false), Some(3), 163), Turn::NewCertificate);
        assert_eq!(asked(&[160, 0], served(163, true), Some(3), 163), Turn::Wait(at(203)));
        assert_eq!(asked(&[160, 0], served(235, true), Some(90), 240), Turn::Keep(1));
    }

    #[test]
    fn what_has_expired_or_names_other_hosts_is_made_anew_at_once() {
        assert_eq!(asked(&[160, 0], served(90, false), None, 165), Turn::NewCertificate);
        let other = served(0, true).map(|served| Served { fits: false, ..served });
        assert_eq!(asked(&[0], other, Some(1), 1), Turn::NewCertificate);
    }

    /// Plays turns as two replicas would take them one after the other, with configurations that are sometimes late.
    fn play(delays: &[u8], until: i64) -> Result<(), TestCaseError> {
        let lifetimes = Lifetimes::of(LIFE);
        let mut there = Certificates::default();
        let (mut trusted, mut since): (Vec<Authority>, i64) = (Vec::new(), 0);
        let mut signer: Option<Authority> = None;
        for now in 0..until {
            let late = delays.get(usize::try_from(now).unwrap_or(0) % delays.len()).is_some_and(|delay| *delay > 200);
            let published =
                (trusted == there.authorities).then(|| Duration::from_secs(u64::try_from(now - since).unwrap_or(0)));
            match turn(&there, published, lifetimes, at(now)) {
                Turn::NewAuthority => {
                    there.authorities.insert(0, authority(now));
                    there.served = there.served.map(|served| Served { by_newest: false, ..served });
                }
                Turn::NewCertificate => {
                    there.served = served(now, true);
                    signer = there.authorities.first().copied();
                }
                Turn::Publish if late => {}
                Turn::Publish => (trusted, since) = (there.authorities.clone(), now),
                Turn::Keep(count) => there.authorities.truncate(count),
                Turn::Wait(_) => {}
            }
            // Once somebody trusts us, whoever asks is served by what it trusts, and by nothing that has expired.
            if now > 4 && !trusted.is_empty() {
                let serving = there.served.is_some_and(|served| at(now) < served.not_after);
                prop_assert!(serving, "nothing valid is served at {now}");
                prop_assert!(
                    signer.is_some_and(|signer| trusted.contains(&signer) && at(now) < signer.not_after),
                    "at {now}"
                );
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn whoever_trusts_what_was_published_is_always_served_by_it(delays in proptest::collection::vec(0u8..=255, 1..40)) {
            play(&delays, 2_000)?;
        }
    }
}
