//! What a board tells, for people: tables and sentences, or one line.

use comfy_table::{CellAlignment, Table, presets};

use crate::board::readings::{Clock, Readings, Zone};
use crate::board::report::Report;

/// Everything, in several lines.
pub(super) fn full(report: &Report) -> String {
    let readings = &report.readings;
    let mut parts = vec![head(report)];
    if !readings.zones.is_empty() {
        parts.push(zones(readings).to_string());
    }
    parts.push(figures(readings).join("\n"));
    let sentences = |title: &str, sentences: &[String]| {
        let lines = sentences.iter().map(|sentence| format!("  {sentence}"));
        (!sentences.is_empty()).then(|| format!("{title}\n{}", lines.collect::<Vec<_>>().join("\n")))
    };
    parts.extend(sentences("Not told by this machine", &report.missing));
    parts.extend(sentences("Notes", &report.notes));
    parts.join("\n\n")
}

/// One line a reading: what changes.
pub(super) fn line(report: &Report) -> String {
    let readings = &report.readings;
    let zones = readings.zones.iter().filter_map(|zone| Some(format!("{} {:.1} °C", zone.name, zone.celsius?)));
    let mut words: Vec<String> = zones.collect();
    words.extend(readings.power_mw.map(|power| format!("power {power:.0} mW")));
    words.extend(readings.gpu_load.map(|load| format!("GPU {:.1} %", load * 100.0)));
    words.extend(readings.gpu_clock.as_ref().map(|clock| format!("at {}", megahertz(clock))));
    words.extend(fan(readings).map(|fan| format!("fan {fan}")));
    words.push(heat(readings));
    format!("{:.0} {}", report.read, words.join(", "))
}

fn head(report: &Report) -> String {
    let simulated = if report.simulated { " (SIMULATED: every figure is made up)" } else { "" };
    let mut about = Vec::new();
    if let Some(release) = &report.release {
        let jetpack =
            release.jetpack.as_ref().map_or("a JetPack that is not known".into(), |it| format!("JetPack {it}"));
        about.push(format!("Jetson Linux {} ({jetpack})", release.l4t));
    }
    if let Some(mode) = report.readings.power_mode {
        let name = report.power_modes.get(&mode).map_or(String::new(), |name| format!(" ({name})"));
        about.push(format!("power mode {mode}{name}"));
    }
    if report.readings.gpu_clock_locked == Some(true) {
        about.push("clocks locked (jetson_clocks)".into());
    }
    let about = if about.is_empty() { String::new() } else { format!("\n{}", about.join(", ")) };
    // The model is the device tree's, and no terminal should obey it.
    let told = report.told.replace(char::is_control, "?");
    format!("{told}{simulated}{about}")
}

fn zones(readings: &Readings) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["zone", "°C", "slows at", "margin", "off at", "alert"]);
    for zone in &readings.zones {
        table.add_row(row(zone, readings.alerts.get(&zone.name)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(zone: &Zone, alert: Option<&bool>) -> [String; 6] {
    let known = |celsius: Option<f64>| celsius.map_or_else(|| "-".to_owned(), |celsius| format!("{celsius:.1}"));
    let margin = zone.throttle_celsius.zip(zone.celsius).map(|(trip, now)| trip - now);
    let alert = match alert {
        Some(true) => "THROTTLED",
        Some(false) => "idle",
        None => "-",
    };
    let [now, trip, margin, off] = [zone.celsius, zone.throttle_celsius, margin, zone.critical_celsius].map(known);
    [zone.name.clone(), now, trip, margin, off, alert.into()]
}

/// A line for each kind of figure that is told.
fn figures(readings: &Readings) -> Vec<String> {
    let mut lines = vec![format!("heat          {}", heat(readings))];
    let counters = readings.over_currents.iter().map(|(name, count)| format!("{name} {count}"));
    let counters = counters.collect::<Vec<_>>().join(", ");
    if !counters.is_empty() {
        lines.push(format!("over-current  {counters} events since boot"));
    }
    if !readings.over_limit.is_empty() {
        lines.push(format!("OVER LIMIT    {}", readings.over_limit.join(", ")));
    }
    let rails = readings.rails.iter().map(|rail| format!("{} {:.0}", rail.label, rail.milliwatts));
    let rails = rails.collect::<Vec<_>>().join(", ");
    if readings.power_mw.is_some() || !rails.is_empty() {
        let power = readings.power_mw.map_or("-".into(), |power| format!("{power:.0}"));
        lines.push(format!("power         {power} mW; rails: {rails}"));
    }
    let load = readings.gpu_load.map(|load| format!("{:.1} % busy", load * 100.0));
    let clock = readings.gpu_clock.as_ref().map(megahertz);
    let gpu = load.into_iter().chain(clock).collect::<Vec<_>>().join(", ");
    if !gpu.is_empty() {
        lines.push(format!("GPU           {gpu}"));
    }
    if !readings.cpu_clocks.is_empty() {
        let clocks = readings.cpu_clocks.iter().map(megahertz).collect::<Vec<_>>();
        lines.push(format!("processor     {}", clocks.join(", ")));
    }
    lines.extend(fan(readings).map(|fan| format!("fan           {fan}")));
    lines
}

/// How hard the fan is driven and how fast it turns.
fn fan(readings: &Readings) -> Option<String> {
    let drive = readings.fan.map(|fan| format!("{:.0} %", fan * 100.0));
    let turns = readings.fan_rpm.map(|turns| format!("{turns:.0} rpm"));
    let words: Vec<String> = drive.into_iter().chain(turns).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Whether and how the machine is slowed down by heat.
fn heat(readings: &Readings) -> String {
    let throttled = readings.alerts.iter().filter(|(_, throttled)| **throttled).map(|(zone, _)| zone.as_str());
    let throttled = throttled.collect::<Vec<_>>().join(", ");
    let held = readings.caps.iter().filter(|cap| cap.steps > 0);
    let held = held.map(|cap| format!("{} held down {} of {} steps", cap.device, cap.steps, cap.most));
    let held = held.collect::<Vec<_>>().join(", ");
    let told = !(readings.alerts.is_empty() && readings.caps.is_empty());
    match (throttled.is_empty(), held.is_empty()) {
        (true, true) if told => "no throttling".into(),
        (true, true) => "throttling is not told".into(),
        (false, true) => format!("THROTTLED: {throttled}"),
        (true, false) => held,
        (false, false) => format!("THROTTLED: {throttled}; {held}"),
    }
}

fn megahertz(clock: &Clock) -> String {
    format!("{:.0} of {:.0} MHz", clock.hertz / 1e6, clock.most_hertz / 1e6)
}
