//! Vectorised: one loop over pixels, compiled for what every processor of its kind has and once more for AVX2, and the
//! better one taken at run time. On aarch64 the first is the one with NEON.
//!
//! Owns the only choice by processor in Kenpin. Promises the same numbers either way: the loops are the same source.

/// Defines a function whose loops the compiler also turns into AVX2 code, which runs where the processor has it. Generic
/// parameters stand in square brackets and must follow from the arguments.
macro_rules! vectorised {
    ($(#[$note:meta])* $seen:vis fn $name:ident [$($generics:tt)*] ($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$note])*
        $seen fn $name<$($generics)*>($($argument: $type),*) {
            #[allow(clippy::inline_always, reason = "it must become a part of the function with more instructions")]
            #[inline(always)]
            fn plain<$($generics)*>($($argument: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide<$($generics)*>($($argument: $type),*) {
                    plain($($argument),*);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    #[expect(unsafe_code, reason = "safe: the processor has just said that it has AVX2")]
                    unsafe {
                        wide($($argument),*);
                    }
                    return;
                }
            }
            plain($($argument),*);
        }
    };
}

pub(crate) use vectorised;
