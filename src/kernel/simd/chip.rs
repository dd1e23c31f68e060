//! CPUs for which other loops are faster than for others with the same instructions.

use std::arch::x86_64::__cpuid;
use std::sync::OnceLock;

/// What is known of the CPU; elsewhere neither is.
#[derive(Clone, Copy)]
struct Chip {
    is_zen_4: bool,
    is_intel: bool,
}

impl Chip {
    fn get() -> Self {
        static CHIP: OnceLock<Chip> = OnceLock::new();
        *CHIP.get_or_init(|| {
            let (vendor, version) = (__cpuid(0), __cpuid(1).eax);
            let family = (version >> 8 & 0xf) + (version >> 20 & 0xff);
            let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).concat();
            Self {
                // Zen 3, of the same family, has no AVX-512.
                is_zen_4: name == b"AuthenticAMD" && family == 0x19,
                is_intel: name == b"GenuineIntel",
            }
        })
    }
}

/// Two steps for 512 bits, of which it writes one and a half a cycle.
pub(super) fn is_zen_4() -> bool {
    Chip::get().is_zen_4
}

/// Two loads and two other operations a cycle, beside two multiply-adds: Zen 5, and whatever is newer.
pub(super) fn computes_beside() -> bool {
    !Chip::get().is_zen_4 && !Chip::get().is_intel
}

/// Little more than one load of 512 bits a cycle, beside two multiply-adds.
pub(super) fn is_intel() -> bool {
    Chip::get().is_intel
}
