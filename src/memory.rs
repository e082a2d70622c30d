//! What starting used goes back to the system before the first part: the parsers of the config, and ONNX Runtime's reading of
//! the model files, leave tens of megabytes with the allocator that a steady road never asks for again.

/// Gives back what the allocator holds and nobody uses; nothing where the C library has no word for it.
#[expect(unsafe_code, reason = "malloc_trim is only reachable through the C library")]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // SAFETY: the call takes no pointer and locks what it touches.
    unsafe { libc::malloc_trim(0) };
}

/// Gives back what the allocator holds and nobody uses; nothing where the C library has no word for it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
