//! Which system a Jetson runs, and which power modes it has.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::files::document;

/// The release of NVIDIA's Linux for Tegra.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Release {
    /// Its number, as `36.4.3`.
    pub l4t: String,
    /// The `JetPack` it belongs to, as `6.2`; `None` for a release this build does not know.
    pub jetpack: Option<String>,
}

/// Releases and their `JetPack`, after the table of jtop (`jetson_stats`) and NVIDIA's `JetPack` archive. A release that ends
/// in a dot stands for all that begin so; the rest of the number is that of the `JetPack` where it ends in one too.
const JETPACKS: [(&str, &str); 21] = [
    ("32.4.3", "4.4"),
    ("32.4.4", "4.4.1"),
    ("32.5.0", "4.5"),
    ("32.5.1", "4.5.1"),
    ("32.5.2", "4.5.1"),
    ("32.6.1", "4.6"),
    ("32.7.", "4.6."),
    ("35.1.0", "5.0.2"),
    ("35.2.1", "5.1"),
    ("35.3.1", "5.1.1"),
    ("35.4.1", "5.1.2"),
    ("35.5.0", "5.1.3"),
    ("35.6.0", "5.1.4"),
    ("36.3.0", "6.0"),
    ("36.4.0", "6.1"),
    ("36.4.3", "6.2"),
    ("36.4.4", "6.2.1"),
    ("36.5.0", "6.2.2"),
    ("38.2.", "7.0"),
    ("38.4.0", "7.1"),
    ("39.2.0", "7.2"),
];

impl Release {
    /// Reads `etc/nv_tegra_release`; `None` where there is none or its first line is no release.
    pub(super) fn read(root: &Path) -> Option<Self> {
        Self::parse(&document(&root.join("etc/nv_tegra_release"))?)
    }

    /// From a first line such as `# R36 (release), REVISION: 4.3, GCID: ...`.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.lines().next()?.split(',').map(str::trim);
        let major = fields.next()?.strip_prefix("# R")?.split(' ').next()?;
        let minor = fields.next()?.strip_prefix("REVISION:")?.trim();
        let number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !number(major) || !minor.split('.').all(number) {
            return None;
        }
        let l4t = format!("{major}.{minor}");
        let jetpack = JETPACKS.iter().find_map(|(release, jetpack)| of(&l4t, release, jetpack));
        Some(Self { l4t, jetpack })
    }
}

fn of(l4t: &str, release: &str, jetpack: &str) -> Option<String> {
    let rest = if release.ends_with('.') { l4t.strip_prefix(release)? } else { (l4t == release).then_some("")? };
    Some(if jetpack.ends_with('.') { format!("{jetpack}{rest}") } else { jetpack.to_owned() })
}

/// The power modes that `etc/nvpmodel.conf` lists, by number: lines `< POWER_MODEL ID=0 NAME=15W >`.
pub(super) fn power_modes(root: &Path) -> BTreeMap<u32, String> {
    document(&root.join("etc/nvpmodel.conf")).map_or_else(BTreeMap::new, |text| text.lines().filter_map(mode).collect())
}

fn mode(line: &str) -> Option<(u32, String)> {
    let mut words = line.trim().strip_prefix("< POWER_MODEL ")?.split_ascii_whitespace();
    let id = words.find_map(|word| word.strip_prefix("ID="))?.parse().ok()?;
    let name = words.find_map(|word| word.strip_prefix("NAME="))?;
    let printable = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    printable.then(|| (id, name.to_owned()))
}

/// The power mode that `var/lib/nvpmodel/status` tells: `pmode:0002`, behind which older releases tell that of the fan.
pub(super) fn power_mode(status: &Path) -> Result<u32, String> {
    let told = super::files::label(status).map_err(|refusal| refusal.to_string())?;
    let word = told.split(' ').next().unwrap_or_default();
    let digits = word.strip_prefix("pmode:").filter(|digits| (1..=4).contains(&digits.len()));
    let number = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    number.and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("tells {told:?}, want pmode:0000 or the like"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_from_its_first_line() {
        let read = |line: &str| Release::parse(line).map(|release| (release.l4t, release.jetpack));
        let some = |l4t: &str, jetpack: &str| Some((l4t.to_owned(), Some(jetpack.to_owned())));
        let line = "# R36 (release), REVISION: 4.3, GCID: 0, BOARD: generic, EABI: aarch64, DATE: x\nmore";
        assert_eq!(read(line), some("36.4.3", "6.2"));
        assert_eq!(read("# R32 (release), REVISION: 7.4, GCID: 0"), some("32.7.4", "4.6.4"));
        assert_eq!(read("# R38 (release), REVISION: 2.1"), some("38.2.1", "7.0"));
        assert_eq!(read("# R40 (release), REVISION: 1.0"), Some(("40.1.0".to_owned(), None)), "a later one");
        for garbage in ["", "R36", "# R36", "# R (release), REVISION: 4.3", "# R36 (release), REVISION: ..", "# R36, X"]
        {
            assert_eq!(read(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn power_modes_are_read_by_number() {
        let root = tempfile::tempdir().unwrap();
        assert!(power_modes(root.path()).is_empty());
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let text = "# remark\n< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n  < POWER_MODEL ID=2 NAME=MAXN_SUPER >\n\
                    < POWER_MODEL ID=x NAME=A >\n< POWER_MODEL ID=4 >\n< PM_CONFIG DEFAULT=0 >\n";
        std::fs::write(root.path().join("etc/nvpmodel.conf"), text).unwrap();
        let wanted = BTreeMap::from([(0, "15W".to_owned()), (2, "MAXN_SUPER".to_owned())]);
        assert_eq!(power_modes(root.path()), wanted);
    }

    #[test]
    fn a_power_mode_is_a_number_of_four_digits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            power_mode(&path)
        };
        assert_eq!(told("pmode:0002\n"), Ok(2));
        assert_eq!(told("pmode:0010 fmode:quiet\n"), Ok(10));
        for garbage in ["", "pmode:", "pmode:+2", "pmode:-1", "pmode:00002", "2", "mode:0002"] {
            assert!(told(garbage).is_err(), "{garbage}");
        }
    }
}
