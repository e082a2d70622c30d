//! Poison: errors after which CUDA is broken for the whole process, whatever it is asked.
//!
//! Such an error is sticky: the context is corrupted, every later call gives it again, and only a new process helps (CUDA
//! Runtime API, `cudaError_t`: "the process must be terminated and relaunched").

/// The sticky errors by number and name.
const STICKY: [(u32, &str); 11] = [
    (700, "cudaErrorIllegalAddress"),
    (702, "cudaErrorLaunchTimeout"),
    (709, "cudaErrorContextIsDestroyed"),
    (710, "cudaErrorAssert"),
    (714, "cudaErrorHardwareStackError"),
    (715, "cudaErrorIllegalInstruction"),
    (716, "cudaErrorMisalignedAddress"),
    (717, "cudaErrorInvalidAddressSpace"),
    (718, "cudaErrorInvalidPc"),
    (719, "cudaErrorLaunchFailure"),
    (214, "cudaErrorECCUncorrectable"),
];

/// Whether what ONNX Runtime said means that CUDA is broken for this process: `CUDA failure 700: an illegal memory access was
/// encountered`, `CUDA error cudaErrorLaunchFailure ...`, `CUDNN failure ...; CUDA error 719`.
pub(super) fn poisons(text: &str) -> bool {
    let numbered = ["CUDA failure ", "CUDA error ", "CUDA error: ", "cuda error "];
    let after = numbered.iter().flat_map(|before| text.match_indices(before).map(|(at, _)| &text[at + before.len()..]));
    let mut numbers = after.filter_map(|rest| {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        rest[..digits].parse::<u32>().ok()
    });
    let named = |name: &&str| text.contains(*name);
    numbers.any(|number| STICKY.iter().any(|(sticky, _)| *sticky == number))
        || STICKY.iter().map(|(_, name)| name).any(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_breaks_the_process_is_told_from_what_breaks_a_run() {
        for sticky in [
            "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=line-1 ; expr=cudaStreamSynchronize",
            "CUDA failure 719: unspecified launch failure ; GPU=0",
            "CUDA failure 716: misaligned address",
            "TensorRT EP failed: Cuda Runtime (CUDA error 715)",
            "model m: cudaErrorInvalidAddressSpace in enqueue",
            "CUDA failure 2: out of memory; CUDA failure 717: operation not supported on global/shared address space",
        ] {
            assert!(poisons(sticky), "{sticky}");
        }
        for passing in [
            "CUDA failure 2: out of memory ; GPU=0",
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
            "CUDA failure 100: no CUDA-capable device is detected",
            "CUDA failure 7000: no such number",
            "output \"y\": the output at place 700 (label bad) is inf, a finite number is wanted",
            "",
        ] {
            assert!(!poisons(passing), "{passing}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_sticky_or_not_wherever_it_stands(number in 0_u32..2000, before in "[a-z ;:]{0,20}", after in "[ :;a-z]{0,20}") {
            let text = format!("{before}CUDA failure {number}{after}");
            prop_assert_eq!(poisons(&text), STICKY.iter().any(|(sticky, _)| *sticky == number));
        }
    }
}
