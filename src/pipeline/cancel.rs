use std::sync::atomic::{AtomicI32, Ordering};

/// A request to stop early, by signal number. Records being observed are finished and committed.
#[derive(Debug, Default)]
pub struct Cancel(AtomicI32);

impl Cancel {
    /// Nothing is requested yet.
    pub const fn new() -> Self {
        Self(AtomicI32::new(0))
    }

    /// Requests to stop because of `signal` (positive). The first request is the one that counts.
    pub fn request(&self, signal: i32) {
        // Relaxed: nothing else is published with it, and a late look only costs a record.
        let _ = self.0.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.signal().is_some()
    }

    /// The signal that requested it.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_counts() {
        let cancel = Cancel::new();
        assert!(!cancel.is_requested());
        cancel.request(15);
        cancel.request(2);
        assert_eq!(cancel.signal(), Some(15));
    }
}
