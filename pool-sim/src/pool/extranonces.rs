//! Which connection has which extranonce1.

use super::EXTRANONCE1_SIZE;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Gives each connection an extranonce1 of its own, so that no two search the same headers.
#[derive(Debug)]
pub(super) struct Extranonces {
    first: u32,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    /// How many there are so far, counted on from the first.
    count: u32,
    taken: HashSet<u32>,
}

/// An extranonce1 that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Extranonce1<'a> {
    number: u32,
    from: &'a Extranonces,
}

impl Extranonces {
    pub(super) fn new(first: u32) -> Extranonces {
        Extranonces { first, given: Mutex::default() }
    }

    /// The extranonce1 of the session to be resumed, if it was given before and is free; else a new one.
    ///
    /// A session's name is no secret: whoever takes another's extranonce1 gains nothing, as shares count for their user.
    pub(super) fn take(&self, resumed: Option<&str>) -> Extranonce1<'_> {
        let mut given = self.given();
        let was_given = |number: &u32| number.wrapping_sub(self.first) < given.count;
        let known = resumed.and_then(|session| u32::from_str_radix(session, 16).ok()).filter(was_given);
        let number = known.filter(|number| !given.taken.contains(number)).unwrap_or_else(|| {
            let next = self.first.wrapping_add(given.count);
            given.count += 1;
            next
        });
        given.taken.insert(number);
        Extranonce1 { number, from: self }
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        // A panic cannot leave it half-written.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Extranonce1<'_> {
    pub(super) fn bytes(&self) -> [u8; EXTRANONCE1_SIZE] {
        self.number.to_be_bytes()
    }

    /// The name under which the session can be resumed.
    pub(super) fn session(&self) -> String {
        format!("{:08x}", self.number)
    }
}

impl Drop for Extranonce1<'_> {
    fn drop(&mut self) {
        self.from.given().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_at_a_time() {
        let extranonces = Extranonces::new(u32::MAX);
        let first = extranonces.take(None);
        assert_eq!(first.bytes(), [0xff; 4]);
        let second = extranonces.take(None);
        assert_eq!(second.bytes(), [0; 4]);
        let name = first.session();
        // Taken, never given, and no name at all.
        for (session, expected) in [(name.as_str(), 1), ("00000009", 2), ("zz", 3)] {
            assert_eq!(extranonces.take(Some(session)).number, expected);
        }
        drop(first);
        assert_eq!(extranonces.take(Some(&name)).number, u32::MAX);
    }
}
