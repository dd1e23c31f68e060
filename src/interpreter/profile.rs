use std::time::{Duration, Instant};

/// Looks at a run as it goes.
pub(super) trait Watch {
    /// A step begins.
    fn begin(&mut self);
    /// A step has ended, for one record or for a group.
    fn end(&mut self, step: usize);
}

/// Nobody watches.
impl Watch for () {
    fn begin(&mut self) {}
    fn end(&mut self, _step: usize) {}
}

/// How long each step of a plan took, over all records so far.
#[derive(Clone, Debug)]
pub struct Profile {
    times: Vec<Duration>,
    begun: Instant,
}

impl Profile {
    /// For a plan of so many steps.
    pub fn new(steps: usize) -> Self {
        Self { times: vec![Duration::ZERO; steps], begun: Instant::now() }
    }

    /// The time of each step, in the order of [`Plan::steps`](super::Plan::steps).
    pub fn times(&self) -> &[Duration] {
        &self.times
    }
}

impl Watch for Profile {
    fn begin(&mut self) {
        self.begun = Instant::now();
    }

    fn end(&mut self, step: usize) {
        if let Some(time) = self.times.get_mut(step) {
            *time += self.begun.elapsed();
        }
    }
}
