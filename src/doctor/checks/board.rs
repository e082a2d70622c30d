//! Which board it is, and which of NVIDIA's systems it runs.

use crate::board::release::Release;
use crate::doctor::facts::Facts;
use crate::doctor::report::{Check, Finding};

/// The oldest major release of Jetson Linux whose C library this program runs on (`JetPack` 5).
const OLDEST: u64 = 35;

pub(in crate::doctor) fn all(facts: &Facts) -> Vec<Finding> {
    vec![board(facts), jetpack(facts)]
}

fn board(facts: &Facts) -> Finding {
    let told = facts.board.replace(char::is_control, "?");
    match facts.chip {
        Some(chip) => {
            let (major, minor) = (chip.capability / 10, chip.capability % 10);
            Finding::ok(
                Check::Board,
                format!("{told}: {} ({}), GPU of compute capability {major}.{minor}", chip.name, chip.tree),
            )
        }
        None if is_jetson(facts) => {
            Finding::warn(Check::Board, format!("{told}: a Jetson whose chip is not known to this version"))
                .want("Orin, Xavier or Thor: what is said of the GPU below may be wrong")
        }
        None => Finding::note(
            Check::Board,
            format!("{told}: no Jetson, so models run on its processor unless the config says otherwise"),
        ),
    }
}

/// Whether it is one of NVIDIA's boards.
pub(super) fn is_jetson(facts: &Facts) -> bool {
    facts.chip.is_some() || facts.release.is_some()
}

fn jetpack(facts: &Facts) -> Finding {
    let Some(release) = &facts.release else {
        let found = "no Jetson Linux (/etc/nv_tegra_release)";
        return if is_jetson(facts) {
            Finding::warn(Check::Jetpack, found)
                .want("Jetson Linux on the host; in a container, NVIDIA's base image for this board")
                .mend("sudo apt install --reinstall nvidia-l4t-core")
        } else {
            Finding::note(Check::Jetpack, found)
        };
    };
    let l4t = &release.l4t;
    if major(release) < OLDEST {
        return Finding::fail(Check::Jetpack, format!("Jetson Linux {l4t}: older than JetPack 5"))
            .want("JetPack 5 (Jetson Linux 35) or later: the C library of older ones is too old")
            .mend("flash the board anew with NVIDIA's SDK Manager; Nano and TX2 end with JetPack 4");
    }
    match &release.jetpack {
        Some(jetpack) => Finding::ok(Check::Jetpack, format!("Jetson Linux {l4t} (JetPack {jetpack})")),
        None => Finding::note(Check::Jetpack, format!("Jetson Linux {l4t}: a JetPack that this version does not know")),
    }
}

/// The major number of a release.
pub(super) fn major(release: &Release) -> u64 {
    release.l4t.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default()
}
