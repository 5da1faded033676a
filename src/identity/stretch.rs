//! Slow hashing (Argon2id, RFC 9106) of what is short enough to be guessed.
//!
//! Passphrases are stretched before they wrap a vault key, identity keys before they become safety words, so that
//! each guess costs an attacker as much memory and time as it costs us. The cost stands beside what it protects
//! and is read from files that strangers may have written: it is bounded before any memory is taken.

use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::{Decode, Encode};
use zeroize::Zeroize;

use super::keys::Secret;

/// Most memory that a cost read from a file may ask for, in KiB (512 MiB).
pub const STRETCH_MEMORY_KIB_MAX: u32 = 512 * 1024;

/// Most passes over that memory.
pub const STRETCH_PASSES_MAX: u32 = 10;

/// Most parallel lanes.
pub const STRETCH_LANES_MAX: u32 = 4;

/// What one guess costs. The fields are RFC 9106's m (in KiB), t and p.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Cost {
    #[n(0)]
    memory_kib: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
}

impl Cost {
    /// 64 MiB, 3 passes, one lane: the least that format 2 allows, about 0.2 s.
    pub const STANDARD: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// Cheap enough to try every byte of a vault.
    #[cfg(test)]
    pub(crate) const TEST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    #[cfg(test)]
    pub(crate) const fn hostile(memory_kib: u32, passes: u32, lanes: u32) -> Self {
        Self { memory_kib, passes, lanes }
    }
}

/// Argon2id (version 0x13, no key, no associated data) of `secret` under `salt` (at least 8 bytes), 32 bytes long.
pub fn stretch(secret: &[u8], salt: &[u8], cost: Cost) -> Result<Secret, StretchError> {
    let bounded = cost.memory_kib <= STRETCH_MEMORY_KIB_MAX
        && cost.passes <= STRETCH_PASSES_MAX
        && cost.lanes <= STRETCH_LANES_MAX;
    if !bounded {
        return Err(StretchError::TooCostly { memory_kib: cost.memory_kib, passes: cost.passes, lanes: cost.lanes });
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| StretchError::Unusable)?;
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret, salt, &mut out)
        .map_err(|_| StretchError::Unusable)?;
    let stretched = Secret::new(out);
    out.zeroize();
    Ok(stretched)
}

/// Why nothing was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StretchError {
    #[error(
        "it asks for {memory_kib} KiB of memory, {passes} passes and {lanes} lanes; at most {} KiB, {} and {} are taken",
        STRETCH_MEMORY_KIB_MAX,
        STRETCH_PASSES_MAX,
        STRETCH_LANES_MAX
    )]
    TooCostly { memory_kib: u32, passes: u32, lanes: u32 },
    #[error("its Argon2id parameters cannot be used, or the machine has not enough memory for them")]
    Unusable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_beyond_the_limits_is_refused_before_memory_is_taken() {
        for cost in [
            Cost::hostile(100 * 1024 * 1024, 3, 1),
            Cost::hostile(u32::MAX, 3, 1),
            Cost::hostile(8, u32::MAX, 1),
            Cost::hostile(64, 1, STRETCH_LANES_MAX + 1),
        ] {
            assert!(matches!(stretch(b"x", b"saltsalt", cost), Err(StretchError::TooCostly { .. })), "{cost:?}");
        }
    }

    #[test]
    fn a_cost_that_is_no_cost_is_refused() {
        for cost in [Cost::hostile(0, 1, 1), Cost::hostile(8, 0, 1), Cost::hostile(8, 1, 0), Cost::hostile(8, 1, 4)] {
            assert_eq!(stretch(b"x", b"saltsalt", cost).err(), Some(StretchError::Unusable), "{cost:?}");
        }
    }

    #[test]
    fn secret_salt_and_cost_each_change_the_result() {
        let stretched = |secret: &[u8], salt: &[u8], cost| *stretch(secret, salt, cost).unwrap().reveal();
        let one = stretched(b"x", b"saltsalt", Cost::TEST);
        assert_eq!(one, stretched(b"x", b"saltsalt", Cost::TEST));
        assert_ne!(one, stretched(b"y", b"saltsalt", Cost::TEST));
        assert_ne!(one, stretched(b"x", b"saltsalu", Cost::TEST));
        assert_ne!(one, stretched(b"x", b"saltsalt", Cost::hostile(16, 1, 1)));
        assert_ne!(one, stretched(b"x", b"saltsalt", Cost::hostile(8, 2, 1)));
    }
}
