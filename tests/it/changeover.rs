//! Changeover: the line goes on with another recipe while parts flow, each part keeps that of its capture, none is lost; what
//! cannot be served is refused; a restart changes nothing that nobody asked for.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::fit::Place;
use crate::reload::{endless, replayed, text};
use crate::support::daemon::{Daemon, Line};
use crate::support::modbus::Server;
use crate::support::mosquitto::{Mosquitto, Subscriber, ask_with, publish_lines};

/// Two recipes with a route each: parts of `mono` are judged by model one, those of `second` by model two.
fn configure(place: &Place, second: &str, rest: &str) {
    let poly = format!(
        "[[routes]]\nname = \"{second}\"\nwhen = [{{ recipe = \"{second}\" }}]\nmembers = [{{ model = \"two\" }}]"
    );
    place.configure("when = [{ recipe = \"mono\" }]\nmembers = [{ model = \"one\" }]", &format!("{poly}\n{rest}"));
}

const HEARD: &str = "commands are heard on kenpin/v1/line-1/command/+";

/// Commands the recipe; whether it was taken, and what was told.
fn change_over(broker: &Mosquitto, recipe: &str) -> (bool, String) {
    let (_, answer) = ask_with(broker.port, "kenpin/v1/line-1/command/recipe", "one", Some(recipe));
    assert_eq!(text(&answer, "command"), "recipe");
    (answer["done"].as_bool().unwrap(), text(&answer, "told").to_owned())
}

/// The verdicts of a run in the order in which the camera took their pictures.
fn captured(place: &Place, run: &str) -> Vec<Value> {
    let mut verdicts = place.verdicts(run);
    verdicts.sort_by_key(|verdict| verdict["frames"][0]["sequence"].as_u64().unwrap());
    verdicts
}

/// The recipes in turn, each as often as it came back.
fn in_turn(verdicts: &[Value]) -> Vec<&str> {
    let mut recipes: Vec<&str> = verdicts.iter().map(|verdict| text(verdict, "recipe")).collect();
    recipes.dedup();
    recipes
}

#[test]
fn a_command_changes_over_for_the_parts_captured_from_then_on_and_what_nobody_knows_is_refused() {
    let (place, broker) = (endless(), Mosquitto::start());
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/#");
    configure(&place, "poly", &format!("[line]\nrecipe = \"mono\"\n[mqtt]\nbroker = \"{}\"", broker.address()));
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("recipe mono is in force: as the config says", 1);
    daemon.wait_for(HEARD, 1);
    daemon.wait_for("part_judged", 60);
    let born = |count: usize| told.wait("kenpin.birth/1", "a birth", |births| births.len() >= count);
    born(1);

    let (done, why) = change_over(&broker, "poly\n");
    let wanted = "parts captured from now on are made by recipe poly, those before by mono; warm for it: two";
    assert_eq!((done, why.as_str()), (true, wanted));
    daemon.wait_for_more("part_judged", 60);
    assert_eq!(change_over(&broker, "tri"), (false, "no route speaks of recipe \"tri\"; known are mono, poly".into()));
    told.wait("kenpin.status/1", "the refusal in the status", |all| {
        all.last().is_some_and(|status| text(status, "recipe_refused").contains("tri") && status["recipe"] == "poly")
    });
    assert_eq!(change_over(&broker, "poly"), (true, "parts are made by recipe poly already; warm for it: two".into()));
    daemon.wait_for_more("part_judged", 30);
    born(2);
    // All at once: none waits for the answer to the one before.
    let tri = ["tri"; 8].join("\n");
    publish_lines(broker.port, "kenpin/v1/line-1/command/recipe", &tri);
    told.wait("kenpin.reply/1", "an answer to each", |all| all.len() == 8);
    assert!(change_over(&broker, "mono").0);
    daemon.wait_for_more("part_judged", 60);
    told.wait("kenpin.status/1", "the refusal gone from the status", |all| {
        all.last().is_some_and(|status| status.get("recipe_refused").is_none() && status["recipe"] == "mono")
    });
    assert_eq!((daemon.count("event=recipe_changed"), daemon.count("event=recipe_refused")), (2, 9));
    assert!(daemon.terminate().success());

    let verdicts = captured(&place, "default");
    let parts: BTreeSet<String> = verdicts.iter().map(|verdict| text(verdict, "part").to_owned()).collect();
    assert_eq!((parts.len(), &parts), (verdicts.len(), &replayed(verdicts.len())), "none is lost or judged twice");
    assert_eq!(in_turn(&verdicts), ["mono", "poly", "mono"], "in the order of capture each begins once");
    let plans: BTreeSet<&str> = verdicts.iter().map(|verdict| text(verdict, "plan")).collect();
    assert_eq!(plans.len(), 1, "a changeover is no reload");
    for verdict in &verdicts {
        let (route, model) = if verdict["recipe"] == "mono" { ("all", "one") } else { ("poly", "two") };
        assert_eq!((&verdict["route"], text(&verdict["votes"][0], "model")), (&json!([route]), model), "{verdict}");
    }
    let births = born(3);
    let born: Vec<&str> = births.iter().map(|birth| text(birth, "recipe")).collect();
    assert_eq!(born, ["mono", "poly", "mono"], "each changeover is announced, a refusal is not");
}

#[test]
fn a_recipe_outlives_a_power_cut_and_one_that_cannot_be_gone_on_with_is_told_in_every_verdict() {
    let (place, broker) = (endless(), Mosquitto::start());
    let start = |second: &str, recipe: &str, run: &str| {
        let line = format!("[line]\nrecipe = \"{recipe}\"\nrun = \"{run}\"\n[mqtt]\nbroker = \"{}\"", broker.address());
        configure(&place, second, &line);
        Daemon::start(&place.path("kenpin.toml"))
    };
    let cut_off = |daemon: Daemon| {
        daemon.wait_for_more("part_judged", 30);
        daemon.kill_nine();
    };
    let of = |run: &str| {
        let verdicts = place.verdicts(run);
        let degraded: BTreeSet<String> = verdicts.iter().map(|verdict| verdict["degraded"].to_string()).collect();
        assert_eq!(degraded.len(), 1, "{degraded:?}");
        let recipes: BTreeSet<String> = verdicts.iter().map(|verdict| text(verdict, "recipe").to_owned()).collect();
        (recipes.into_iter().collect::<Vec<_>>().join(" "), degraded.into_iter().collect::<String>())
    };

    let daemon = start("poly", "mono", "r1");
    daemon.wait_for(HEARD, 1);
    assert!(change_over(&broker, "poly").0);
    daemon.kill_nine();

    let daemon = start("poly", "mono", "r2");
    daemon.wait_for("recipe poly is in force: the line was changed over to it at ", 1);
    cut_off(daemon);
    assert_eq!(of("r2"), ("poly".into(), "[]".into()), "another production run makes no difference");

    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/status");
    let daemon = start("quad", "mono", "r3");
    daemon.wait_for("event=recipe_refused", 1);
    let why = "of which no route speaks any more; so the recipe is that of the config";
    told.wait("kenpin.status/1", "the lost recipe in the status", |all| {
        all.last().is_some_and(|status| text(status, "recipe_lost").ends_with(why) && status["recipe"] == "mono")
    });
    cut_off(daemon);
    let (recipe, degraded) = of("r3");
    assert!(recipe == "mono" && degraded.contains(why), "{recipe} {degraded}");

    // A config that was changed since has the last word.
    let daemon = start("poly", "poly", "r4");
    daemon.wait_for("recipe poly is in force: as the config says, which said mono when the line was changed over", 1);
    daemon.kill_nine();

    std::fs::write(place.path("state/journal.sqlite.recipe.json"), "torn").unwrap();
    let daemon = start("poly", "mono", "r5");
    daemon.wait_for("journal.sqlite.recipe.json cannot be read", 1);
    daemon.wait_for(HEARD, 1);
    assert!(change_over(&broker, "mono").0, "the word of a person ends the doubt");
    told.wait("kenpin.status/1", "no doubt in the status", |all| {
        all.last().is_some_and(|status| status.get("recipe_lost").is_none() && status["recipe"] == "mono")
    });
    assert!(daemon.terminate().success());
}

#[test]
fn a_recipe_whose_model_is_stopped_is_refused_and_a_reload_without_the_recipe_in_force_too() {
    let (place, broker) = (endless(), Mosquitto::start());
    let line = format!("[line]\nrecipe = \"mono\"\n[mqtt]\nbroker = \"{}\"", broker.address());
    configure(&place, "poly", &line);
    let graph = std::fs::read(place.path("two/model.onnx")).unwrap();
    std::fs::write(place.path("two/model.onnx"), "spoilt").unwrap();
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for(HEARD, 1);
    let (done, why) = change_over(&broker, "poly");
    assert!(!done && why.starts_with("model two, which recipe poly needs, is stopped: "), "{why}");
    std::fs::write(place.path("two/model.onnx"), graph).unwrap();
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 1);
    assert!(change_over(&broker, "poly").0, "the model was opened anew");

    configure(&place, "quad", &line);
    daemon.hang_up();
    daemon.wait_for(
        "recipe poly is in force: no route speaks of recipe \"poly\"; known are mono, quad; change over first",
        1,
    );
    assert!(change_over(&broker, "mono").0);
    daemon.wait_for_more("part_judged", 60);
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 2);
    assert!(change_over(&broker, "quad").0, "what came with the reload is known");
    daemon.wait_for_more("part_judged", 30);
    assert!(daemon.terminate().success());
    assert_eq!(in_turn(&captured(&place, "default")), ["mono", "poly", "mono", "quad"]);
}

#[test]
fn a_line_of_a_sensor_names_the_recipe_of_its_part_whatever_the_line_was_changed_over_to() {
    let (place, broker) = (Place::new(), Mosquitto::start());
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/verdict");
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(
        place.path("conf.d/trigger.toml"),
        "[cameras.top]\npace = \"triggered\"\ntrigger_sensor = \"plc\"\n",
    )
    .unwrap();
    let sensor = "[sensors.plc]\nkind = \"tcp-listen\"\naddress = \"127.0.0.1:0\"\npart_key = \"part\"";
    let line = "[line]\nrecipe = \"mono\"\nrecipe_key = \"recipe\"";
    configure(&place, "poly", &format!("{line}\n{sensor}\n[mqtt]\nbroker = \"{}\"", broker.address()));
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for(HEARD, 1);
    let address = daemon.lines.wait("where the sensor listens", |lines| {
        lines.iter().find_map(|line| Some(line.split_once("sensor plc listens on ")?.1.to_owned()))
    });
    let mut plc = TcpStream::connect(address).unwrap();
    let mut judged = 0;
    let mut say = |line: &str| {
        writeln!(plc, "{line}").unwrap();
        judged += 1;
        told.wait("kenpin.verdict/1", line, |all| all.len() >= judged);
    };
    say("part=a");
    say("part=b recipe=poly");
    assert!(change_over(&broker, "poly").0);
    say("part=c");
    say("part=d recipe=mono");
    assert!(daemon.terminate().success());
    let recipes: Vec<(String, String)> = place
        .verdicts("default")
        .iter()
        .map(|verdict| (text(verdict, "part").to_owned(), text(verdict, "recipe").to_owned()))
        .collect();
    let wanted = [("a", "mono"), ("b", "poly"), ("c", "poly"), ("d", "mono")];
    assert_eq!(recipes, wanted.map(|(part, recipe)| (part.to_owned(), recipe.to_owned())));
}

#[test]
fn a_register_changes_over_and_is_told_what_is_in_force_once_it_is_warm() {
    let (place, broker, server) = (endless(), Mosquitto::start(), Server::start());
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/status");
    let register = format!(
        "[changeover]\naddress = \"{}\"\nunit = 7\nregister = 100\nacknowledge = 101\nevery_ms = 20\n\
         recipes = [{{ number = 1, recipe = \"mono\" }}, {{ number = 2, recipe = \"poly\" }}]",
        server.address
    );
    let line = format!("[line]\nrecipe = \"mono\"\n{register}\n[mqtt]\nbroker = \"{}\"", broker.address());
    configure(&place, "poly", &line);
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for(HEARD, 1);
    // 0 asks for nothing; the answer is the number in force.
    server.wait_for_register(101, 1);
    daemon.wait_for("part_judged", 30);
    server.set(100, 2);
    server.wait_for_register(101, 2);
    daemon.wait_for_more("part_judged", 30);
    server.set(100, 9);
    daemon.wait_for("event=recipe_refused", 1);
    daemon.wait_for("register 100 of 127.0.0.1:", 1);
    told.wait("kenpin.status/1", "the refusal in the status", |all| {
        let why = "holds 9, which stands for no recipe; known are 1 (mono), 2 (poly)";
        all.last().is_some_and(|status| text(status, "recipe_refused").ends_with(why) && status["recipe"] == "poly")
    });
    // Whoever changes over, the controller is told.
    assert!(change_over(&broker, "mono").0);
    server.wait_for_register(101, 3);
    assert_eq!(server.register(101), [1, 2, 1]);

    server.go_away(true);
    daemon.wait_for("event=recipe_register_lost", 1);
    told.wait("kenpin.status/1", "the lost register in the status", |all| {
        all.last()
            .is_some_and(|status| text(status, "recipe_register").contains("127.0.0.1:") && status["recipe"] == "mono")
    });
    daemon.wait_for_more("part_judged", 30);
    server.set(100, 2);
    server.go_away(false);
    server.wait_for_register(101, 4);
    told.wait("kenpin.status/1", "the register found again", |all| {
        all.last().is_some_and(|status| status.get("recipe_register").is_none() && status["recipe"] == "poly")
    });
    daemon.wait_for_more("part_judged", 30);
    assert!(daemon.terminate().success());
    assert_eq!(server.register(101), [1, 2, 1, 2]);
    let verdicts = captured(&place, "default");
    assert_eq!(in_turn(&verdicts), ["mono", "poly", "mono", "poly"]);
    let parts: BTreeSet<String> = verdicts.iter().map(|verdict| text(verdict, "part").to_owned()).collect();
    assert_eq!((parts.len(), &parts), (verdicts.len(), &replayed(verdicts.len())), "none is lost or judged twice");
}

#[test]
fn a_program_triggers_over_a_unix_socket_and_is_told_what_becomes_of_each_part() {
    let line = Line::with_parts(1);
    let camera = "repeat = true\npace = \"triggered\"\ntrigger_sensor = \"program\"\n\
                  [sensors.program]\nkind = \"unix-listen\"\npath = \"trigger.sock\"\npart_key = \"part\"\nacknowledge = true";
    let (config, runtime) = (line.configure(camera, ""), tempfile::tempdir().unwrap());
    let start = || Daemon::start_with(&config, &[("RUNTIME_DIRECTORY", runtime.path())]);
    let path = runtime.path().join("trigger.sock");
    let connect = |daemon: &Daemon| {
        daemon.wait_for("ready: 1 cameras", 1);
        UnixStream::connect(&path).unwrap()
    };
    let daemon = start();
    let mut program = connect(&daemon);
    let mut answers = BufReader::new(program.try_clone().unwrap());
    let mut say = |line: &str| {
        writeln!(program, "{line}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        answer
    };
    assert_eq!(say("part=A"), "accepted A\n");
    assert_eq!(say("part=A"), "duplicate A\n");
    assert!(say("nonsense").starts_with("garbled: "));
    let made = say("type=mono");
    daemon.wait_for("part_judged", 2);
    // Killed, it leaves its socket behind.
    daemon.kill_nine();
    assert!(path.exists());

    let daemon = start();
    let mut program = connect(&daemon);
    writeln!(program, "part=B").unwrap();
    program.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    program.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "accepted B\n", "also to one that has said all");
    daemon.wait_for("part_judged", 1);
    assert!(daemon.terminate().success());
    assert!(!path.exists(), "the socket goes with the daemon");
    let journal = rusqlite::Connection::open(line.path().join("state/journal.sqlite")).unwrap();
    let mut parts = journal.prepare("SELECT part FROM verdict ORDER BY seq").unwrap();
    let parts: Vec<String> = parts.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let made = made.trim().strip_prefix("accepted ").unwrap();
    assert_eq!(parts, ["A", made, "B"]);
}
