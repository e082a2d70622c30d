//! The versions of TensorRT and CUDA, as their libraries tell them: read in the child that has just used them.

use std::ffi::CStr;

use crate::engines::Versions;

/// Names under which TensorRT's library is known, the newest first; ONNX Runtime has loaded one of them.
const TENSORRT: [&CStr; 4] = [c"libnvinfer.so.11", c"libnvinfer.so.10", c"libnvinfer.so.8", c"libnvinfer.so"];

/// Names of the CUDA runtime, the newest first.
const CUDA: [&CStr; 4] = [c"libcudart.so.13", c"libcudart.so.12", c"libcudart.so.11.0", c"libcudart.so"];

/// What the libraries in this process tell; empty where one is not loaded or does not tell.
pub(super) fn read(onnxruntime: &str) -> Versions {
    let text = |number: Option<i32>| number.map(|number| number.to_string()).unwrap_or_default();
    Versions { onnxruntime: onnxruntime.to_owned(), tensorrt: text(tensorrt()), cuda: text(cuda()) }
}

/// `int32_t getInferLibVersion()` (`NvInferRuntime.h`): 8601 is 8.6.1, 100300 is 10.3.0.
#[expect(unsafe_code, reason = "the version is only told by a function of a C library")]
fn tensorrt() -> Option<i32> {
    let symbol = find(&TENSORRT, c"getInferLibVersion")?;
    // SAFETY: the function has this signature in every TensorRT.
    Some(unsafe { std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> i32>(symbol)() })
}

/// `cudaError_t cudaRuntimeGetVersion(int*)` (`cuda_runtime_api.h`): 12060 is 12.6; 0 is success.
#[expect(unsafe_code, reason = "the version is only told by a function of a C library")]
fn cuda() -> Option<i32> {
    let symbol = find(&CUDA, c"cudaRuntimeGetVersion")?;
    let mut version = 0;
    // SAFETY: the function has this signature in every CUDA runtime and writes one number.
    let failed = unsafe {
        std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(*mut i32) -> i32>(symbol)(&raw mut version)
    };
    (failed == 0).then_some(version)
}

/// A function of the first of these libraries that is loaded.
#[expect(unsafe_code, reason = "libraries are asked for by the C library")]
fn find(names: &[&CStr], function: &CStr) -> Option<*mut libc::c_void> {
    names.iter().find_map(|name| {
        // SAFETY: both texts end with a null byte; with RTLD_NOLOAD nothing is loaded and no code runs.
        let symbol = unsafe {
            let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_LAZY);
            if handle.is_null() {
                return None;
            }
            libc::dlsym(handle, function.as_ptr())
        };
        (!symbol.is_null()).then_some(symbol)
    })
}
