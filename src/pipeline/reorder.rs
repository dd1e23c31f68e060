/// Puts items back in sequence: a ring with a place for every item that can be in flight.
///
/// The caller guarantees that at most `capacity` items are out at any time, each with its own
/// number, and that numbers are given without gaps. Then an item that arrives is never further ahead
/// than the ring is long.
pub(super) struct Reorder<T> {
    ring: Vec<Option<T>>,
    next: u64,
}

impl<T> Reorder<T> {
    pub fn new(capacity: usize) -> Self {
        Self { ring: std::iter::repeat_with(|| None).take(capacity.max(1)).collect(), next: 0 }
    }

    /// Takes an item; gives it back if there is no room for its number.
    pub fn insert(&mut self, sequence: u64, item: T) -> Result<(), T> {
        let capacity = self.ring.len() as u64;
        let ahead = sequence.checked_sub(self.next);
        let place = ahead
            .filter(|&ahead| ahead < capacity)
            .and_then(|_| self.ring.get_mut((sequence % capacity) as usize))
            .filter(|place| place.is_none());
        match place {
            Some(place) => *place = Some(item),
            None => return Err(item),
        }
        Ok(())
    }

    /// The next item in sequence, if it has arrived.
    pub fn pop(&mut self) -> Option<T> {
        let capacity = self.ring.len() as u64;
        let item = self.ring.get_mut((self.next % capacity) as usize)?.take()?;
        self.next += 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_sequence() {
        let mut reorder = Reorder::new(3);
        let mut out = Vec::new();
        for sequence in [2, 0, 1, 3, 5, 4, 6] {
            reorder.insert(sequence, sequence).unwrap();
            while let Some(item) = reorder.pop() {
                out.push(item);
            }
        }
        assert_eq!(out, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn numbers_outside_the_window_and_doubles_are_refused() {
        let mut reorder = Reorder::new(2);
        assert_eq!(reorder.insert(2, 'a'), Err('a'));
        reorder.insert(0, 'b').unwrap();
        assert_eq!(reorder.insert(0, 'c'), Err('c'));
        assert_eq!(reorder.pop(), Some('b'));
        assert_eq!(reorder.insert(0, 'd'), Err('d'));
        assert_eq!(reorder.pop(), None);
    }
}
