//! The line: the clock, the broker, the config and the service.

use crate::doctor::facts::{Facts, Unit};
use crate::doctor::report::{Check, Finding};

pub(in crate::doctor) fn all(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = time(facts).into_iter().chain(broker(facts)).collect();
    match &facts.config {
        Some(Ok(told)) => found.push(Finding::ok(Check::Config, told.clone())),
        Some(Err(findings)) => found.extend(findings.iter().map(|finding| config(finding))),
        None => found.push(
            Finding::note(Check::Config, "no config was given: broker, models and disks for them were not looked at")
                .mend("kenpin doctor kenpin.toml"),
        ),
    }
    found.extend(facts.unit.as_ref().map(service));
    found
}

fn time(facts: &Facts) -> Option<Finding> {
    if facts.synchronised? {
        return Some(Finding::ok(Check::Time, "the clock is synchronised"));
    }
    let found = "the clock is not synchronised";
    let (finding, wanted) = if facts.wants.wall_time {
        let wanted = "a time source: readings bring their own time (`time_key`), which is not trusted until then";
        (Finding::fail(Check::Time, found), wanted)
    } else {
        (Finding::warn(Check::Time, found), "a time source: verdicts carry UTC, and say that it is not to be trusted")
    };
    let mend = "sudo timedatectl set-ntp true   # without internet, name the plant's server: NTP= in /etc/systemd/timesyncd.conf";
    Some(finding.want(wanted).mend(mend))
}

fn broker(facts: &Facts) -> Option<Finding> {
    let broker = facts.broker.as_ref()?;
    let address = &broker.address;
    let Err(why) = &broker.reached else {
        return Some(Finding::ok(Check::Broker, format!("{address} accepts connections")));
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "1883"));
    let local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
    let mend = if local {
        "sudo apt install mosquitto && sudo systemctl enable --now mosquitto".to_owned()
    } else {
        format!("nc -vz {host} {port}   # then the broker's machine, its firewall, or `[mqtt] broker` in the config")
    };
    let finding = Finding::warn(Check::Broker, format!("{address} cannot be reached: {why}"));
    Some(finding.want("a broker that answers; until then verdicts wait in the journal").mend(mend))
}

fn config(finding: &str) -> Finding {
    Finding::fail(Check::Config, finding)
        .want("a config without findings")
        .mend("kenpin check CONFIG   # shows the line")
}

fn service(unit: &Unit) -> Finding {
    let Unit { load, active, result, restarts } = unit;
    if load != "loaded" {
        return Finding::note(Check::Service, "kenpin.service is not installed")
            .want("the package, for a line that runs by itself");
    }
    let look = "journalctl -u kenpin -e";
    match active.as_str() {
        "failed" => Finding::fail(Check::Service, format!("kenpin.service has failed: {result}"))
            .want("a service that runs")
            .mend(format!("{look}   # the cause; then: sudo systemctl restart kenpin")),
        "active" if *restarts > 0 => {
            Finding::warn(Check::Service, format!("kenpin.service runs, restarted {restarts} times"))
                .want("no restarts")
                .mend(format!("{look}   # why it ended"))
        }
        "active" => Finding::ok(Check::Service, "kenpin.service runs"),
        other => Finding::note(Check::Service, format!("kenpin.service is {other}"))
            .want("a service that runs")
            .mend("sudo systemctl enable --now kenpin"),
    }
}
