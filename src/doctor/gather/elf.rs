//! What a library's file tells without being loaded: for which processor it is, which libraries it asks for, for which GPUs it
//! holds code. Reads headers only; a provider of hundreds of megabytes costs a few pages.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::ReadCache;
use object::read::elf::{Dyn as _, FileHeader as _, SectionHeader as _};
use object::{Endianness, ReadRef as _};

/// The most pieces of GPU code that are looked at; a provider of ONNX Runtime has about 600 bundles.
const MOST_PIECES: usize = 1 << 20;

/// The first bytes of a bundle of GPU code, as a little-endian number.
const BUNDLE: u32 = 0xBA55_ED50;

/// Bytes by which bundles in a section are aligned.
const ALIGNED: u64 = 8;

/// What a library tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// `aarch64` or `x86_64`.
    pub(super) processor: Option<&'static str>,
    /// The libraries it asks for, in its order.
    pub(super) needed: Vec<String>,
    /// Where the bundles of GPU code lie in the file: offset and bytes.
    bundles: Option<(u64, u64)>,
}

/// Reads the headers of the library at `path`; `None` where it is no 64-bit ELF file.
pub(super) fn read(path: &Path) -> Option<Told> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let data = &cache;
    // Asked first, for an empty file has no headers.
    data.len().ok().filter(|bytes| *bytes > 0)?;
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let processor = match header.e_machine(endian) {
        EM_AARCH64 => Some("aarch64"),
        EM_X86_64 => Some("x86_64"),
        _ => None,
    };
    let sections = header.sections(endian, data).ok()?;
    let mut needed = Vec::new();
    if let Some((entries, link)) = sections.dynamic(endian, data).ok()? {
        let strings = sections.strings(endian, data, link).ok()?;
        for entry in entries.iter().filter(|entry| entry.d_tag(endian) == DT_NEEDED) {
            let name = entry.string(endian, strings).ok()?;
            needed.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    let section = sections.section_by_name(endian, b".nv_fatbin");
    let bundles = section.and_then(|(_, section)| section.file_range(endian));
    Some(Told { processor, needed, bundles })
}

/// The compute capabilities that the library at `path` holds machine code and intermediate code (PTX) for.
pub(super) fn gpu_code(path: &Path, told: &Told) -> Option<(BTreeSet<u32>, BTreeSet<u32>)> {
    let (offset, bytes) = told.bundles?;
    let mut reader = BufReader::with_capacity(128, File::open(path).ok()?);
    bundles(&mut reader, offset, offset.checked_add(bytes)?)
}

/// Walks the bundles from `at` to `end`. A bundle has a header (magic number, version, its own length in 16 bits, length of what
/// follows in 64) and pieces, each with a header (kind, version, its own length in 32 bits, length of what follows in 64; the
/// compute capability at byte 28). Source: the layout as tools that read it describe it (Cricket's `fatbin` header); held
/// against the CUDA provider of ONNX Runtime 1.31.1.
fn bundles(file: &mut (impl Read + Seek), mut at: u64, end: u64) -> Option<(BTreeSet<u32>, BTreeSet<u32>)> {
    const PORTABLE: u16 = 1;
    const MACHINE: u16 = 2;
    let (mut code, mut portable) = (BTreeSet::new(), BTreeSet::new());
    let mut left = MOST_PIECES;
    while at.checked_add(16)? <= end && left > 0 {
        left -= 1;
        let header: [u8; 16] = bytes(file, at)?;
        if number32(&header, 0) != BUNDLE {
            at += ALIGNED;
            continue;
        }
        let mut piece = at.checked_add(u64::from(number16(&header, 6)))?;
        let after = piece.checked_add(number64(&header, 8))?.min(end);
        while piece.checked_add(32)? <= after && left > 0 {
            left -= 1;
            let header: [u8; 32] = bytes(file, piece)?;
            match number16(&header, 0) {
                PORTABLE => _ = portable.insert(number32(&header, 28)),
                MACHINE => _ = code.insert(number32(&header, 28)),
                _ => {}
            }
            let length = u64::from(number32(&header, 4)).checked_add(number64(&header, 8))?;
            piece = piece.checked_add(length.max(ALIGNED))?;
        }
        at = after.max(at + ALIGNED);
    }
    Some((code, portable))
}

fn bytes<const N: usize>(file: &mut (impl Read + Seek), at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

fn number16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(part(bytes, at))
}

fn number32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(part(bytes, at))
}

fn number64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(part(bytes, at))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A bundle of pieces: kind and compute capability each, with `length` bytes behind every piece's header.
    fn bundle(pieces: &[(u16, u32)], length: u64) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, capability) in pieces {
            body.extend(kind.to_le_bytes());
            body.extend([1, 1]);
            body.extend(64_u32.to_le_bytes());
            body.extend(length.to_le_bytes());
            body.extend([0; 12]);
            body.extend(capability.to_le_bytes());
            body.resize(body.len() + 32 + usize::try_from(length).unwrap(), 0xAA);
        }
        let mut bundle = BUNDLE.to_le_bytes().to_vec();
        bundle.extend([1, 0, 16, 0]);
        bundle.extend((body.len() as u64).to_le_bytes());
        bundle.extend(body);
        bundle
    }

    #[test]
    fn every_piece_of_every_bundle_is_counted() {
        let mut file = vec![0; 8];
        file.extend(bundle(&[(2, 87), (1, 90)], 24));
        file.extend([0; 16]);
        file.extend(bundle(&[(2, 72), (2, 87)], 0));
        let end = file.len() as u64;
        let (code, portable) = bundles(&mut Cursor::new(file.clone()), 8, end).unwrap();
        assert_eq!((code, portable), ([72, 87].into(), [90].into()));
        let (code, _) = bundles(&mut Cursor::new(file), 8, 8 + 16 + 64 + 24).unwrap();
        assert_eq!(code, [87].into(), "what is cut off is not read");
    }

    #[test]
    fn garbage_ends_and_is_no_code() {
        let mut odd = bundle(&[(2, 87)], 8);
        odd[20..32].fill(0xFF);
        assert_eq!(bundles(&mut Cursor::new(odd), 0, 104), None, "a length beyond every file");
        assert_eq!(bundles(&mut Cursor::new(vec![7; 400]), 0, 400), Some((BTreeSet::new(), BTreeSet::new())));
        assert_eq!(bundles(&mut Cursor::new(vec![0; 8]), 0, 400), None, "the file is shorter than it says");
        let folder = tempfile::tempdir().unwrap();
        for bytes in [b"".as_slice(), b"\x7fELF\x02\x01\x01", &[0x7F; 4096]] {
            let path = folder.path().join("lib.so");
            std::fs::write(&path, bytes).unwrap();
            assert!(read(&path).is_none_or(|told| told.needed.is_empty() && told.bundles.is_none()));
        }
        assert!(read(Path::new("/none")).is_none());
    }

    #[test]
    fn this_program_tells_of_itself() {
        let told = read(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(told.processor, Some(std::env::consts::ARCH));
        assert!(told.needed.iter().any(|name| name.starts_with("libc.so")), "{:?}", told.needed);
        assert!(told.bundles.is_none());
    }
}
