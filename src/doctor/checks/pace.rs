//! How fast the machine may be: power mode and clocks.

use std::cmp::Reverse;

use crate::doctor::facts::Facts;
use crate::doctor::report::{Check, Finding};
use crate::flow::infer::library::numbers;

pub(in crate::doctor) fn all(facts: &Facts) -> Vec<Finding> {
    power_mode(facts).into_iter().chain(gpu_clock(facts)).chain(governors(facts)).collect()
}

/// The mode that is set, among those the board has. The fastest is called MAXN, or has the most watt and then the most cores;
/// the numbers of modes say nothing.
fn power_mode(facts: &Facts) -> Option<Finding> {
    let (set, modes) = &facts.power;
    let set = (*set)?;
    let Some(name) = modes.get(&set) else {
        return Some(Finding::note(
            Check::PowerMode,
            format!("power mode {set}, which /etc/nvpmodel.conf does not list"),
        ));
    };
    let mut ranked: Vec<(u32, &String)> = modes.iter().map(|(id, name)| (*id, name)).collect();
    ranked.sort_by_key(|(id, name)| (Reverse(rank(name)), *id));
    let (fastest, slowest) = (ranked.first()?, ranked.last()?);
    let found = format!("power mode {set} ({name})");
    if rank(name) == rank(fastest.1) {
        return Some(Finding::ok(Check::PowerMode, found));
    }
    let wanted = format!("mode {} ({}), where the supply and the cooling bear it", fastest.0, fastest.1);
    let mend = format!("sudo nvpmodel -m {}", fastest.0);
    let slow = rank(name) == rank(slowest.1);
    let found = if slow { format!("{found}: the slowest of {}", modes.len()) } else { found };
    let finding = if slow { Finding::warn(Check::PowerMode, found) } else { Finding::note(Check::PowerMode, found) };
    Some(finding.want(wanted).mend(mend))
}

/// Watt and cores by a mode's name: `MODE_15W_6CORE` is 15 and 6; MAXN has no limit, `MAXN_SUPER` even less so.
fn rank(name: &str) -> (u64, u64) {
    if name.starts_with("MAXN") {
        return (u64::MAX, name.len() as u64);
    }
    let word = |unit: &str| {
        let words = name.split(['_', ' ']).filter_map(|word| word.strip_suffix(unit));
        words.filter_map(|digits| numbers(digits).first().copied()).max().unwrap_or_default()
    };
    (word("W"), word("CORE"))
}

fn gpu_clock(facts: &Facts) -> Option<Finding> {
    Some(if facts.clocks_locked? {
        Finding::ok(Check::Clocks, "the GPU's clock is held (jetson_clocks)")
    } else {
        Finding::note(Check::Clocks, "the GPU's clock follows the load: single parts take longer than a stream of them")
            .want("a held clock, where latency matters more than heat; it is lost at the next boot")
            .mend("sudo jetson_clocks")
    })
}

fn governors(facts: &Facts) -> Option<Finding> {
    let slow = facts.governors.contains("powersave");
    let all = facts.governors.iter().cloned().collect::<Vec<_>>().join(", ");
    let found = format!("clock governor of the processor: {all}");
    (!all.is_empty()).then(|| {
        if slow {
            Finding::warn(Check::Clocks, found)
                .want("schedutil or performance")
                .mend("echo schedutil | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor")
        } else {
            Finding::ok(Check::Clocks, found)
        }
    })
}
