//! Cameras, and what the daemon's user may open.

use std::collections::BTreeMap;

use super::board::is_jetson;
use crate::doctor::facts::{Facts, Node, Role};
use crate::doctor::report::{Check, Finding};

pub(in crate::doctor) fn all(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![cameras(facts)];
    found.extend(facts.missing_cameras.iter().map(missing));
    found.extend(closed(facts));
    let open = facts.nodes.iter().filter(|node| matters(facts, node)).count();
    if open > 0 && found.iter().all(|finding| finding.check != Check::Access) {
        let name = &facts.person.name;
        found.push(Finding::ok(
            Check::Access,
            format!("user {name} may use all {open} devices and folders that matter"),
        ));
    }
    found
}

fn cameras(facts: &Facts) -> Finding {
    let shown = |(node, card): &(std::path::PathBuf, String)| {
        let card = if card.is_empty() { String::new() } else { format!(" ({card})") };
        format!("{}{card}", node.display())
    };
    let all = facts.cameras.iter().map(shown).collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return Finding::note(Check::Cameras, "no V4L2 camera (/dev/video*)")
            .want("a camera, unless pictures come from files")
            .mend("sudo dmesg | grep -i -e video -e uvc   # plug it in and see what the kernel says");
    }
    Finding::ok(Check::Cameras, all)
}

fn missing((name, device): &(String, String)) -> Finding {
    Finding::fail(Check::Cameras, format!("camera {name}: there is no {device}"))
        .want("the camera, or the name of one that is there")
        .mend(format!("kenpin cameras   # lists what is there; plug it in, or change `[cameras.{name}] device`"))
}

/// Whether it matters that a node can be opened.
fn matters(facts: &Facts, node: &Node) -> bool {
    match node.role {
        Role::Camera | Role::Folder => true,
        Role::Gpu => is_jetson(facts) || facts.wants.cuda || facts.wants.tensorrt,
        Role::Gpio => facts.wants.gpio,
    }
}

/// What the user may not open: one finding for each way to mend it.
fn closed(facts: &Facts) -> Vec<Finding> {
    let person = &facts.person;
    let mut by_mend: BTreeMap<(Role, String), Vec<String>> = BTreeMap::new();
    for node in facts.nodes.iter().filter(|node| matters(facts, node) && !node.is_open_to(person)) {
        by_mend.entry((node.role, mend(node, &person.name))).or_default().push(node.path.display().to_string());
    }
    let finding = |((role, mend), paths): ((Role, String), Vec<String>)| {
        let (name, paths) = (&person.name, paths.join(", "));
        let (found, wanted) = if role == Role::Folder {
            (format!("user {name} may not write to {paths}"), "a folder of that user")
        } else {
            (format!("user {name} may not open {paths}"), "read and write for that user")
        };
        Finding::fail(Check::Access, found).want(wanted).mend(mend)
    };
    by_mend.into_iter().map(finding).collect()
}

/// What opens a node to a user: its group where the group may, else a rule of udev.
fn mend(node: &Node, user: &str) -> String {
    let path = node.path.display();
    if node.role == Role::Folder {
        return format!("sudo install -d -o {user} -g {user} -m 0750 {path}");
    }
    match &node.group.1 {
        Some(group) if node.mode & 0o060 == 0o060 => {
            format!("sudo usermod -aG {group} {user} && sudo systemctl restart kenpin   # a shell needs a new login")
        }
        _ => {
            let (subsystem, kernel, group) = match node.role {
                Role::Camera => ("SUBSYSTEM==\"video4linux\", ", "video*", "video"),
                Role::Gpio => ("SUBSYSTEM==\"gpio\", ", "gpiochip*", "gpio"),
                Role::Gpu if path.to_string().contains("renderD") => ("SUBSYSTEM==\"drm\", ", "renderD*", "render"),
                Role::Gpu | Role::Folder => ("", "nv*", "video"),
            };
            format!(
                "echo '{subsystem}KERNEL==\"{kernel}\", GROUP=\"{group}\", MODE=\"0660\"' | sudo tee /etc/udev/rules.d/90-kenpin.rules && \
                 sudo udevadm control --reload && sudo udevadm trigger && sudo usermod -aG {group} {user}"
            )
        }
    }
}
