use bytemuck::{AnyBitPattern, NoUninit, Pod};
use memmap2::MmapMut;

/// Where buffers start: at a cache line.
const LINE: usize = 64;

/// From so many bytes on memory is mapped, so that the system can be asked for large pages: it hands out small ones
/// one by one, which takes longer than filling them.
const LARGE: usize = 2 << 20;

/// Zero-initialised bytes that start on a 64-byte boundary, so that any element type can be read in
/// place and vector loads do not straddle cache lines.
pub struct AlignedBuffer {
    memory: Memory,
    len: usize,
}

enum Memory {
    /// From a boundary on. An allocation that asked for it would be written before it is used: only plain ones
    /// are known to be zero when they are new.
    Heap(Vec<u8>, usize),
    Mapped(MmapMut),
}

impl Memory {
    fn zeroed(len: usize) -> Self {
        if len >= LARGE
            && let Ok(map) = MmapMut::map_anon(len)
        {
            // Without large pages it works as well.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            return Self::Mapped(map);
        }
        let bytes = vec![0; len + LINE - 1];
        let start = bytes.as_ptr().addr().wrapping_neg() % LINE;
        Self::Heap(bytes, start)
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Heap(bytes, start) => &bytes[*start..],
            Self::Mapped(map) => map,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes, start) => &mut bytes[*start..],
            Self::Mapped(map) => map,
        }
    }
}

impl AlignedBuffer {
    /// `len` bytes of zeros; pages come from the system when they are first used.
    pub fn zeroed(len: usize) -> Self {
        Self { memory: Memory::zeroed(len), len }
    }

    /// Makes it `len` bytes long; what they are is not specified. Memory is kept for later.
    pub fn resize(&mut self, len: usize) {
        if len > self.memory.bytes().len() {
            self.memory = Memory::zeroed(len.max(2 * self.memory.bytes().len()));
        }
        self.len = len;
    }

    /// A copy of `values`.
    pub fn copy_of<T: NoUninit>(values: &[T]) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let mut buffer = Self::zeroed(bytes.len());
        buffer.bytes_mut().copy_from_slice(bytes);
        buffer
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory.bytes()[..self.len]
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory.bytes_mut()[..self.len]
    }

    /// The bytes as numbers.
    ///
    /// # Panics
    /// If the length is not a multiple of the size of `T`.
    pub fn as_slice<T: AnyBitPattern>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }

    /// The bytes as numbers, to be written.
    ///
    /// # Panics
    /// If the length is not a multiple of the size of `T`.
    pub fn as_mut_slice<T: Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.bytes_mut())
    }
}

impl Clone for AlignedBuffer {
    fn clone(&self) -> Self {
        Self::copy_of(self.bytes())
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuffer({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_of_exact_length() {
        let buffer = AlignedBuffer::copy_of(&[1.0_f32, 2.0, 3.0]);
        assert_eq!(buffer.bytes().len(), 12);
        assert_eq!(buffer.bytes().as_ptr().addr() % 64, 0);
        assert_eq!(buffer.as_slice::<f32>(), [1.0, 2.0, 3.0]);
        assert!(AlignedBuffer::zeroed(0).is_empty());
    }

    #[test]
    fn large_ones_are_zero_too_and_grow() {
        let mut buffer = AlignedBuffer::zeroed(LARGE + 1);
        assert!(buffer.bytes().iter().all(|&byte| byte == 0));
        assert_eq!((buffer.len(), buffer.bytes().as_ptr().addr() % 64), (LARGE + 1, 0));
        buffer.bytes_mut()[LARGE] = 7;
        assert_eq!(buffer.clone().bytes()[LARGE], 7);
        let start = buffer.bytes().as_ptr();
        buffer.resize(10);
        buffer.resize(LARGE);
        assert_eq!(buffer.bytes().as_ptr(), start, "memory is kept");
        buffer.resize(3 * LARGE);
        assert_eq!(buffer.bytes_mut().len(), 3 * LARGE);
    }
}
