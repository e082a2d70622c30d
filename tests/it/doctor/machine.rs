//! Miniature machines for the doctor: a made-up board of `kenpin board fake`, and over it what an installation of its JetPack
//! has beside the kernel's files. Libraries are ELF files with nothing in them but what they ask for and for which GPUs they
//! have code.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use kenpin::board::fake::{Fake, Heat, Kind};

/// What a JetPack installs on a board.
pub(crate) struct Installed {
    /// `python3.10`.
    python: &'static str,
    onnxruntime: &'static str,
    cuda: &'static str,
    cudnn: &'static str,
    tensorrt: &'static str,
    /// The folder of NVIDIA's own libraries.
    nvidia: &'static str,
    /// Whether TensorRT asks for the compiler of the DLA.
    dla: bool,
    capability: u32,
    mode: u32,
    /// Memory and swap on disk, KiB.
    memory: (u64, u64),
}

const LIBRARIES: &str = "usr/lib/aarch64-linux-gnu";

fn installed(kind: Kind) -> Installed {
    let orin = Installed {
        python: "python3.10",
        onnxruntime: "1.23.0",
        cuda: "12.6.68",
        cudnn: "9.3.0",
        tensorrt: "10.3.0",
        nvidia: "nvidia",
        dla: true,
        capability: 87,
        mode: 2,
        memory: (7_802_872, 8_388_604),
    };
    match kind {
        Kind::XavierNx => Installed {
            python: "python3.8",
            onnxruntime: "1.17.0",
            cuda: "11.4.315",
            cudnn: "8.6.0",
            tensorrt: "8.5.2",
            nvidia: "tegra",
            capability: 72,
            ..orin
        },
        Kind::Thor => Installed {
            python: "python3.12",
            onnxruntime: "1.24.2",
            cuda: "13.0.48",
            cudnn: "9.12.0",
            tensorrt: "10.13.3",
            dla: false,
            capability: 110,
            mode: 0,
            memory: (128_783_604, 0),
            ..orin
        },
        _ => orin,
    }
}

/// A machine in a folder of its own.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    fake: Fake,
    has: Installed,
}

impl Machine {
    /// A board of this kind on which nothing is amiss.
    pub(crate) fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (fake, has) = (Fake::create(folder.path(), kind).unwrap(), installed(kind));
        let machine = Self { folder, fake, has };
        machine.power_mode(machine.has.mode);
        machine.toolkit();
        machine.wheel("onnxruntime_gpu", machine.has.onnxruntime, &[machine.has.capability], true);
        machine.system();
        machine
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn power_mode(&self, mode: u32) {
        self.fake.set(&Heat { power_mode: Some(mode), ..Heat::default() }).unwrap();
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn remove(&self, path: &str) {
        let path = self.root().join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// Where the DLA's compiler lies.
    pub(crate) fn dla_compiler(&self) -> String {
        format!("{LIBRARIES}/{}/libnvdla_compiler.so", self.has.nvidia)
    }

    /// Where the wheel's libraries lie.
    pub(crate) fn capi(&self) -> String {
        format!("usr/local/lib/{}/dist-packages/onnxruntime/capi", self.has.python)
    }

    /// The libraries that CUDA, cuDNN, TensorRT and the board's own packages install.
    fn toolkit(&self) {
        let Installed { cuda, cudnn, tensorrt, nvidia, dla, .. } = self.has;
        self.put("usr/local/cuda/version.json", format!(r#"{{"cuda": {{"name": "CUDA SDK", "version": "{cuda}"}}}}"#));
        for name in ["libcudart", "libcublas", "libcublasLt"] {
            self.library("usr/local/cuda/lib64", name, cuda, &[]);
        }
        self.library(LIBRARIES, "libcudnn", cudnn, &[]);
        let needs: &[&str] = if dla { &["libnvdla_compiler.so"] } else { &[] };
        self.library(LIBRARIES, "libnvinfer", tensorrt, needs);
        self.library(LIBRARIES, "libnvonnxparser", tensorrt, &[&format!("libnvinfer.so.{}", major(tensorrt))]);
        self.put(&format!("{LIBRARIES}/{nvidia}/libcuda.so.1"), elf("aarch64", &["libc.so.6"], &[]));
        if dla {
            self.put(&self.dla_compiler(), elf("aarch64", &["libc.so.6"], &[]));
        }
    }

    /// A library under its major number and its full one.
    pub(crate) fn library(&self, folder: &str, name: &str, version: &str, needs: &[&str]) {
        let bytes = elf("aarch64", &[&["libc.so.6"], needs].concat(), &[]);
        self.put(&format!("{folder}/{name}.so.{}", major(version)), &bytes);
        self.put(&format!("{folder}/{name}.so.{version}"), &bytes);
    }

    /// ONNX Runtime as its Python package, with GPU code for these compute capabilities.
    pub(crate) fn wheel(&self, package: &str, version: &str, code: &[u32], tensorrt: bool) {
        let capi = self.capi();
        if self.root().join(&capi).exists() {
            self.remove(&format!("usr/local/lib/{}", self.has.python));
        }
        self.put(&format!("{capi}/../../{package}-{version}.dist-info/METADATA"), "");
        self.put(&format!("{capi}/libonnxruntime.so.{version}"), elf("aarch64", &["libstdc++.so.6"], &[]));
        let [cuda, cudnn, infer] = [self.has.cuda, self.has.cudnn, self.has.tensorrt].map(major);
        let needs = [format!("libcudart.so.{cuda}"), format!("libcublas.so.{cuda}"), format!("libcudnn.so.{cudnn}")];
        let mut needs: Vec<&str> = needs.iter().map(String::as_str).chain(["libcuda.so.1"]).collect();
        self.put(&format!("{capi}/libonnxruntime_providers_cuda.so"), elf("aarch64", &needs, code));
        let parser = format!("libnvonnxparser.so.{infer}");
        needs.push(&parser);
        if tensorrt {
            self.put(&format!("{capi}/libonnxruntime_providers_tensorrt.so"), elf("aarch64", &needs, &[]));
        }
    }

    /// Users, memory, devices and the clock.
    fn system(&self) {
        let (memory, swap) = self.has.memory;
        self.put("proc/meminfo", format!("MemTotal: {memory} kB\nMemAvailable: {} kB\n", memory / 2));
        let file = if swap > 0 { format!("/swapfile file {swap} 0 -2\n") } else { String::new() };
        self.put("proc/swaps", format!("Filename Type Size Used Priority\n/dev/zram0 partition 650000 0 5\n{file}"));
        self.put("etc/passwd", "root:x:0:0::/root:/bin/sh\nkenpin:x:59990:59990::/var/lib/kenpin:/bin/false\n");
        self.members("kenpin");
        self.put("sys/class/video4linux/video0/name", "Simulated camera\n");
        for node in ["dev/video0", "dev/nvmap", "dev/nvhost-ctrl-gpu"] {
            self.mode(node, 0o660);
        }
        self.put("run/systemd/timesync/synchronized", "");
    }

    /// Who is in the group of the devices, which is here that of whoever runs the test.
    pub(crate) fn members(&self, members: &str) {
        let group = fs::metadata(self.root()).unwrap().gid();
        self.put("etc/group", format!("video:x:{group}:{members}\nkenpin:x:59990:\n"));
    }

    pub(crate) fn mode(&self, node: &str, mode: u32) {
        let path = self.put(node, "");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The folder in which CUDA's libraries lie.
    pub(crate) const CUDA: &'static str = "usr/local/cuda/lib64";
    /// The folder in which the system's libraries lie.
    pub(crate) const LIBRARIES: &'static str = LIBRARIES;
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap()
}

/// A 64-bit little-endian ELF library that asks for libraries and has machine code for GPUs, and nothing else. Layout: System V
/// ABI, chapters 4 and 5; that of the GPU code as in `src/doctor/gather/elf.rs`.
pub(crate) fn elf(processor: &str, needs: &[&str], code: &[u32]) -> Vec<u8> {
    let (mut strings, mut dynamic) = (vec![0], Vec::new());
    for name in needs {
        dynamic.extend([1, strings.len() as u64].map(u64::to_le_bytes).concat());
        strings.extend(name.bytes().chain([0]));
    }
    dynamic.extend([0; 16]);
    let names = b"\0.nv_fatbin\0.dynamic\0.dynstr\0.shstrtab\0".to_vec();
    // Name, kind, link to another section, bytes of an entry, content.
    let sections: [(u32, u32, u32, u64, Vec<u8>); 4] =
        [(1, 1, 0, 0, bundle(code)), (12, 6, 3, 16, dynamic), (21, 3, 0, 0, strings), (29, 3, 0, 0, names)];
    let (mut body, mut headers) = (Vec::new(), vec![0; 64]);
    for (name, kind, link, entry, content) in sections {
        headers.extend([name, kind].map(u32::to_le_bytes).concat());
        headers.extend([0, 0, 64 + body.len() as u64, content.len() as u64].map(u64::to_le_bytes).concat());
        headers.extend([link, 0].map(u32::to_le_bytes).concat());
        headers.extend([8, entry].map(u64::to_le_bytes).concat());
        body.extend(content);
        body.resize(body.len().next_multiple_of(8), 0);
    }
    let machine: u16 = if processor == "aarch64" { 183 } else { 62 };
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([3, machine].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0, 0, 64 + body.len() as u64].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 0, 0, 64, 5, 4].map(u16::to_le_bytes).concat());
    [file, body, headers].concat()
}

fn bundle(code: &[u32]) -> Vec<u8> {
    let mut pieces = Vec::new();
    for capability in code {
        pieces.extend([2_u16, 0x101].map(u16::to_le_bytes).concat());
        pieces.extend(64_u32.to_le_bytes());
        pieces.extend([0; 20]);
        pieces.extend(capability.to_le_bytes());
        pieces.extend([0; 32]);
    }
    let mut bundle = 0xBA55_ED50_u32.to_le_bytes().to_vec();
    bundle.extend([1_u16, 16].map(u16::to_le_bytes).concat());
    bundle.extend((pieces.len() as u64).to_le_bytes());
    [bundle, pieces].concat()
}
