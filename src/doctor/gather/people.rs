//! Who runs the daemon, and what of the machine may be opened by whom.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::libraries::shown;
use super::machine::Place;
use crate::doctor::facts::{Node, Person, Role};
use crate::flow::infer::library::entries;

/// The user of the packaged service.
const USER: &str = "kenpin";

/// Nodes of a Jetson's GPU: those of nvgpu, of its older names, and of the driver that Thor and desktops have.
const GPU: [&str; 9] = [
    "dev/nvmap",
    "dev/nvhost-ctrl",
    "dev/nvhost-ctrl-gpu",
    "dev/nvhost-gpu",
    "dev/nvgpu/igpu0/ctrl",
    "dev/nvgpu/igpu0/channel",
    "dev/nvidia0",
    "dev/nvidiactl",
    "dev/nvidia-uvm",
];

/// The user called `name`; without one the packaged service's, else who runs this.
pub(super) fn person(root: &Path, name: Option<&str>) -> Result<Person, String> {
    let users = table(root, "etc/passwd");
    let number = |row: &[String], field: usize| row.get(field).and_then(|text| text.parse::<u32>().ok());
    let called = |wanted: &str| users.iter().find(|row| row.first().is_some_and(|name| name == wanted));
    let asking = rustix::process::getuid().as_raw();
    let row = match name {
        Some(name) => Some(called(name).ok_or_else(|| format!("--user is {name:?}, which stands not in /etc/passwd"))?),
        None => called(USER).or_else(|| users.iter().find(|row| number(row, 2) == Some(asking))),
    };
    let Some(row) = row else {
        let groups = BTreeSet::from([rustix::process::getgid().as_raw()]);
        return Ok(Person { name: asking.to_string(), uid: asking, groups });
    };
    let name = row.first().cloned().unwrap_or_default();
    let member = |group: &&Vec<String>| group.get(3).is_some_and(|all| all.split(',').any(|member| member == name));
    let groups = table(root, "etc/group");
    let groups = groups.iter().filter(member).filter_map(|group| number(group, 2));
    Ok(Person { uid: number(row, 2).unwrap_or(asking), groups: groups.chain(number(row, 3)).collect(), name })
}

/// The fields of the lines of a file such as `/etc/passwd`.
fn table(root: &Path, file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

/// The device nodes that matter, and the folders that are written to, as far as they are there.
pub(super) fn nodes(root: &Path, places: &[Place]) -> Vec<Node> {
    let groups = table(root, "etc/group");
    let called = |gid: u32| groups.iter().find(|row| row.get(2).is_some_and(|text| *text == gid.to_string()));
    let node = |(role, path): (Role, PathBuf)| {
        let seen = std::fs::metadata(&path).ok()?;
        let group = (seen.gid(), called(seen.gid()).and_then(|row| row.first().cloned()));
        Some(Node { path: shown(root, &path), role, mode: seen.mode() & 0o7777, uid: seen.uid(), group })
    };
    let gpu = GPU.iter().map(|path| (Role::Gpu, root.join(path)));
    let render = numbered(root, "dev/dri", "renderD").into_iter().map(|path| (Role::Gpu, path));
    let cameras = numbered(root, "dev", "video").into_iter().map(|path| (Role::Camera, path));
    let gpio = numbered(root, "dev", "gpiochip").into_iter().map(|path| (Role::Gpio, path));
    let folders = places.iter().filter(|place| place.is_written).map(|place| (Role::Folder, place.exists.clone()));
    cameras.chain(gpu).chain(render).chain(gpio).chain(folders).filter_map(node).collect()
}

/// The entries `<prefix><number>` of a folder, in the order of their numbers.
pub(super) fn numbered(root: &Path, folder: &str, prefix: &str) -> Vec<PathBuf> {
    let number = |name: &str| name.strip_prefix(prefix).and_then(|rest| rest.parse::<u32>().ok());
    let mut found = entries(&root.join(folder), |name| number(name).is_some());
    found.sort_by_key(|path| path.file_name().and_then(|name| number(name.to_str()?)));
    found
}
