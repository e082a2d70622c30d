//! Outputs of the daemon, seen from the other end: a Modbus server that is not ours writes down how its coils were switched.

use std::net::{SocketAddr, TcpListener};

use crate::support::daemon::{Daemon, Line};
use crate::support::modbus::Server;

/// An ejector and a heartbeat on one server.
fn outputs(address: SocketAddr, on: &str) -> String {
    format!(
        "[outputs.ejector]\nkind = \"modbus\"\naddress = \"{address}\"\nunit = 7\ncoil = 16\non = {on}\n\
         delay_ms = 1500\npulse_ms = 5\ngap_ms = 5\n\
         [outputs.alive]\nkind = \"modbus\"\naddress = \"{address}\"\nunit = 7\ncoil = 3\n\
         work = \"heartbeat\"\nperiod_ms = 200\n"
    )
}

#[test]
fn a_server_that_is_not_ours_sees_a_pulse_for_every_part_that_is_not_good() {
    let (server, line) = (Server::start(), Line::with_parts(9));
    let daemon = Daemon::start(&line.configure("", &outputs(server.address, "[\"reject\"]")));
    daemon.wait_for("output_pulsed", 3);
    assert!(daemon.wait().success());
    let switched = server.coil(16);
    let pulses = [true, false].repeat(3);
    assert_eq!(switched, [&[false], &pulses[..]].concat(), "off first, then three pulses");
}

#[test]
fn the_heartbeat_toggles_while_parts_are_judged_and_ends_off() {
    let (server, line) = (Server::start(), Line::with_parts(3));
    let paced = "repeat = true\npace = \"paced\"\nframes_per_second = 20";
    let daemon = Daemon::start(&line.configure(paced, &outputs(server.address, "[\"reject\"]")));
    server.wait_for_coil(3, 6);
    assert!(daemon.terminate().success());
    let beats = server.coil(3);
    // The last one is switched off again where it ends on.
    assert!(beats.windows(2).all(|pair| pair[0] != pair[1]) && beats.last() == Some(&false), "{beats:?}");
    let ejector = server.coil(16);
    assert!(ejector.windows(2).all(|pair| pair[0] != pair[1]) && ejector.last() == Some(&false), "{ejector:?}");
}

#[test]
fn parts_on_the_way_are_seen_to_their_end_when_the_daemon_stops() {
    let (server, line) = (Server::start(), Line::with_parts(4));
    let daemon = Daemon::start(&line.configure("", &outputs(server.address, "[\"pass\", \"reject\"]")));
    daemon.wait_for("part_judged", 4);
    assert!(daemon.terminate().success());
    assert_eq!(server.coil(16), [&[false], &[true, false].repeat(4)[..]].concat());
}

#[test]
fn a_server_that_is_away_is_told_and_holds_nobody_up() {
    let line = Line::with_parts(3);
    // A port that was free a moment ago, and that nobody listens on.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = Daemon::start(&line.configure("", &outputs(address, "[\"reject\"]")));
    daemon.wait_for("event=output_failed", 2);
    daemon.wait_for("event=part_judged", 3);
    assert!(daemon.terminate().success());
}

#[test]
fn a_chip_that_is_not_there_stops_the_start_with_its_name() {
    let line = Line::with_parts(1);
    let gpio = "chip = \"/dev/gpiochip-none\"\nline = 4\n";
    let output = format!("[outputs.ejector]\nkind = \"gpio\"\n{gpio}work = \"heartbeat\"\n");
    let daemon = Daemon::start(&line.configure("", &output));
    daemon.wait_for("output ejector: line 4 of /dev/gpiochip-none", 1);
    assert_eq!(daemon.wait().code(), Some(3));
    let sensor = format!("[sensors.eye]\nkind = \"gpio\"\n{gpio}");
    let daemon = Daemon::start(&line.configure("", &sensor));
    daemon.wait_for("sensor eye: line 4 of /dev/gpiochip-none", 1);
    assert_eq!(daemon.wait().code(), Some(3));
}
