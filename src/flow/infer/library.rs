//! Where libonnxruntime lies: a pure search over a root folder, a set of environment variables and the place of the
//! binary. Promises one plain sentence with every place looked at when there is none. Loads nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that names the library's file.
pub const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The oldest ONNX Runtime that Kenpin works with.
pub const OLDEST: &str = "1.17";

/// The surroundings of a search; a test gives a miniature tree.
pub struct Surroundings<'a> {
    /// The folder that stands for `/`.
    pub root: &'a Path,
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The folder of the running binary, where it is known.
    pub binary_folder: Option<PathBuf>,
}

/// Finds the library as the running process sees the machine.
///
/// # Errors
/// See [`find`].
pub fn find_here(configured: Option<&Path>) -> Result<PathBuf, String> {
    let binary_folder = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    find(configured, &Surroundings { root: Path::new("/"), variable: &variable, binary_folder })
}

/// Finds the library: the `configured` path, the file named by [`VARIABLE`], beside the binary, the usual system
/// folders, then the Python packages of the active environment, the user and the system. A path that somebody named is
/// used or refused, never passed over.
///
/// # Errors
/// One sentence: the named file that is not there, or every place looked at and what to do.
pub fn find(configured: Option<&Path>, around: &Surroundings<'_>) -> Result<PathBuf, String> {
    if let Some(path) = configured {
        return named(path, "`[runtime] onnxruntime_library`");
    }
    if let Some(path) = (around.variable)(VARIABLE) {
        return named(Path::new(&path), &format!("the environment variable {VARIABLE}"));
    }
    let mut looked = Vec::new();
    for folder in folders(around) {
        if let Some(found) = newest_library(&folder) {
            return Ok(found);
        }
        looked.push(folder.display().to_string());
    }
    Err(format!(
        "no ONNX Runtime library was found: {VARIABLE} is not set and there is no libonnxruntime.so in {}; install \
         ONNX Runtime {OLDEST} or newer (for example with `pip install onnxruntime`) or set `[runtime] \
         onnxruntime_library` to its path",
        looked.join(", ")
    ))
}

/// A file that somebody named.
fn named(path: &Path, by: &str) -> Result<PathBuf, String> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    Err(format!(
        "{by} names {}, which is not a file: put ONNX Runtime {OLDEST} or newer there or name the file libonnxruntime.so",
        path.display()
    ))
}

/// The folders to look into, in order.
fn folders(around: &Surroundings<'_>) -> Vec<PathBuf> {
    let under = |path: &Path| around.root.join(path.strip_prefix("/").unwrap_or(path));
    let mut folders: Vec<PathBuf> = around.binary_folder.iter().cloned().collect();
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let system = ["/usr/lib", multiarch.as_str(), "/usr/local/lib", "/opt/onnxruntime/lib"];
    folders.extend(system.iter().map(|folder| under(Path::new(folder))));
    let environment = (around.variable)("VIRTUAL_ENV").map(|path| under(Path::new(&path)).join("lib"));
    let user = (around.variable)("HOME").map(|path| under(Path::new(&path)).join(".local/lib"));
    let pythons = [environment, user, Some(under(Path::new("/usr/local/lib"))), Some(under(Path::new("/usr/lib")))];
    for python in pythons.into_iter().flatten().flat_map(|library| python_folders(&library)) {
        folders.extend(["site-packages", "dist-packages"].map(|kind| python.join(kind).join("onnxruntime/capi")));
    }
    folders
}

/// The folders `python3*` of a library folder, the newest version first; `python3*` itself where there is none, so that
/// the sentence of a failed search tells of it.
fn python_folders(library: &Path) -> Vec<PathBuf> {
    let mut found = entries(library, |name| name.starts_with("python3"));
    found.sort_by_key(|path| std::cmp::Reverse(version(path)));
    if found.is_empty() { vec![library.join("python3*")] } else { found }
}

/// The library in a folder: the plain name where it is there, else the highest version.
fn newest_library(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join("libonnxruntime.so");
    if plain.is_file() { Some(plain) } else { highest(folder, "libonnxruntime.so") }
}

/// The file `<name>.<version>` of the highest version in a folder.
#[must_use]
pub fn highest(folder: &Path, name: &str) -> Option<PathBuf> {
    let versions = entries(folder, |entry| entry.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    versions.into_iter().filter(|path| path.is_file()).max_by_key(|path| version(path))
}

/// The entries of a folder whose names pass a test; none where the folder cannot be read.
#[must_use]
pub fn entries(folder: &Path, test: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(folder).into_iter().flatten().flatten();
    listing.map(|entry| entry.path()).filter(|path| file_name(path).is_some_and(&test)).collect()
}

/// The numbers in the name of a file, in order: `libonnxruntime.so.1.20.1` is `[1, 20, 1]`.
fn version(path: &Path) -> Vec<u64> {
    numbers(file_name(path).unwrap_or_default())
}

/// The numbers of a version, in order: `1.20.1` is `[1, 20, 1]`.
#[must_use]
pub fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// The name of a file where it is text.
fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A miniature machine: a root with the given empty files, and variables.
    fn search(files: &[&str], variables: &[(&str, &str)], configured: Option<&str>) -> Result<String, String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let lookup = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            let named_file = name == VARIABLE;
            Some(if named_file { root.path().join(value).into() } else { OsString::from(value) })
        };
        let around =
            Surroundings { root: root.path(), variable: &lookup, binary_folder: Some(root.path().join("bin")) };
        let configured = configured.map(|path| root.path().join(path));
        let place = format!("{}/", root.path().display());
        let found = find(configured.as_deref(), &around);
        found.map(|path| path.display().to_string().replace(&place, "")).map_err(|why| why.replace(&place, ""))
    }

    #[test]
    fn nearer_places_win_over_farther_ones() {
        let everywhere = [
            "named.so",
            "variable.so",
            "bin/libonnxruntime.so",
            "usr/lib/libonnxruntime.so.1.20.1",
            "opt/onnxruntime/lib/libonnxruntime.so",
            "home/u/.local/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0",
        ];
        let home = [("HOME", "/home/u")];
        let variables = [("HOME", "/home/u"), (VARIABLE, "variable.so")];
        assert_eq!(search(&everywhere, &variables, Some("named.so")).unwrap(), "named.so");
        assert_eq!(search(&everywhere, &variables, None).unwrap(), "variable.so");
        assert_eq!(search(&everywhere, &home, None).unwrap(), "bin/libonnxruntime.so");
        assert_eq!(search(&everywhere[3..], &home, None).unwrap(), "usr/lib/libonnxruntime.so.1.20.1");
        assert_eq!(search(&everywhere[4..], &home, None).unwrap(), "opt/onnxruntime/lib/libonnxruntime.so");
        assert_eq!(search(&everywhere[5..], &home, None).unwrap(), everywhere[5]);
    }

    #[test]
    fn the_highest_version_wins_as_a_number_not_as_a_text() {
        let folder = "usr/local/lib/python3.9/dist-packages/onnxruntime/capi/";
        let newer = "usr/local/lib/python3.12/dist-packages/onnxruntime/capi/libonnxruntime.so.1.9.0";
        let files = [format!("{folder}libonnxruntime.so.1.30.0"), newer.to_owned()];
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(search(&files, &[], None).unwrap(), newer, "the newer Python comes first");
        let two = ["usr/lib/libonnxruntime.so.1.9.1", "usr/lib/libonnxruntime.so.1.20.0"];
        assert_eq!(search(&two, &[], None).unwrap(), two[1]);
        let provider = ["usr/lib/libonnxruntime_providers_shared.so"];
        assert!(search(&provider, &[], None).is_err(), "a provider is not the library");
    }

    #[test]
    fn an_active_python_environment_is_looked_into() {
        let file = "srv/venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0";
        assert_eq!(search(&[file], &[("VIRTUAL_ENV", "/srv/venv")], None).unwrap(), file);
        assert!(search(&[file], &[], None).is_err());
    }

    #[test]
    fn a_path_that_somebody_named_is_never_passed_over() {
        let there = ["usr/lib/libonnxruntime.so"];
        let why = search(&there, &[], Some("gone.so")).unwrap_err();
        assert_eq!(
            why,
            "`[runtime] onnxruntime_library` names gone.so, which is not a file: put ONNX Runtime 1.17 or newer there \
             or name the file libonnxruntime.so"
        );
        assert!(search(&there, &[(VARIABLE, "gone.so")], None).unwrap_err().contains(VARIABLE));
    }

    #[test]
    fn a_failed_search_tells_every_place_and_what_to_do() {
        let why = search(&[], &[("HOME", "/home/u")], None).unwrap_err();
        for part in ["bin", "usr/lib", "opt/onnxruntime/lib", "home/u/.local/lib/python3*", "pip install", "1.17"] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(!why.contains('\n'));
    }
}
