//! Compressed bodies, with a limit on what they inflate to.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::codec::DecodeFault;

/// The value of `Content-Encoding`.
pub(super) const GZIP: &str = "gzip";

/// How every gzip member starts (RFC 1952); JSON text cannot start so.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a compressed message may inflate to: 8 MiB.
pub(crate) const INFLATE_MAX: usize = 8 * 1024 * 1024;

/// The compressed form. The quickest level: publishing waits for it, and JSON gains most of what there is to gain.
pub(crate) fn deflate(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

/// The plain form. Memory grows with what really comes out; the size that the sender claims is not believed.
pub(super) fn inflate(packed: &[u8], limit: usize) -> Result<Vec<u8>, DecodeFault> {
    let mut plain = Vec::with_capacity(packed.len().min(limit));
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed)
        .take(one_more)
        .read_to_end(&mut plain)
        .map_err(|error| DecodeFault(format!("the body is marked as gzip and cannot be inflated: {error}")))?;
    if plain.len() > limit {
        let text = format!("the compressed body inflates to more than the limit of {limit} bytes");
        return Err(DecodeFault(text));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_comes_out() {
        let packed = deflate(&[b'a'; 1_000]).unwrap();
        assert!(packed.starts_with(&MAGIC) && packed.len() < 100);
        assert_eq!(inflate(&packed, 1_000).unwrap(), [b'a'; 1_000]);
        let fault = inflate(&packed, 999).unwrap_err().to_string();
        assert!(fault.contains("999 bytes"), "{fault}");
    }

    #[test]
    fn a_bomb_is_read_no_further_than_the_limit() {
        let bomb = [&deflate(&vec![0; 4 * 1024 * 1024]).unwrap()[..], b"no gzip"].concat();
        let fault = inflate(&bomb, 64 * 1024).unwrap_err().to_string();
        assert!(fault.contains("65536 bytes"), "{fault}");
        let fault = inflate(&bomb, 5 * 1024 * 1024).unwrap_err().to_string();
        assert!(fault.contains("cannot be inflated"), "{fault}");
    }

    #[test]
    fn what_is_cut_corrupt_or_followed_by_something_else_is_a_fault() {
        let packed = deflate(b"{\"message\":1}").unwrap();
        for end in 0..packed.len() {
            // No byte at all is no gzip member, and no message either; the reader of JSON says so.
            assert!(end == 0 || inflate(&packed[..end], 1_000).is_err(), "{end}");
        }
        let mut corrupt = packed.clone();
        *corrupt.last_mut().unwrap() ^= 1;
        assert!(inflate(&corrupt, 1_000).is_err());
        assert!(inflate(&[&packed[..], b"more"].concat(), 1_000).is_err());
        assert!(inflate(b"plain", 1_000).is_err());
    }
}
