//! This test process, seen from outside.

/// The memory of this process that lies in RAM, in KiB.
///
/// # Panics
/// When the system does not tell (Linux does).
pub fn resident_kib() -> u64 {
    status_kib("VmRSS:")
}

/// The most memory of this process that lay in RAM since [`begin_peak`], in KiB.
///
/// # Panics
/// When the system does not tell (Linux does).
pub fn peak_resident_kib() -> u64 {
    status_kib("VmHWM:")
}

/// Forgets the peak: it begins anew at what lies in RAM now, which is returned.
///
/// # Panics
/// When the system does not allow it (Linux does).
pub fn begin_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be forgotten");
    peak_resident_kib()
}

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the status has the field");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB")
}

/// Whether no other test runs in this process: `cargo nextest` gives each its own, `cargo test` does not, and memory and
/// threads are then not of this test alone.
pub fn is_alone() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// A number that looks random and is always the same (splitmix64).
pub fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
