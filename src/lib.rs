//! Kenpin (検品, goods inspection): frames and sensor text in, one quality verdict per part out.
//!
//! # The house, in reading order
//!
//! * [`flow`] is the **road** that every part travels: `acquire < dispatch < infer < inspect < publish`;
//!   the plain alphabetical listing is the order of travel. No policy lives here.
//! * [`models`] knows what a model is (its passport) and whether the file on disk is that model.
//! * [`engines`] keeps what TensorRT built, each under a key of all that it depends on, and has it built by a child process.
//! * [`board`] reads what the machine tells of itself.
//! * [`task`] and [`fusion`] are pure: what a model's tensors mean, and how several opinions become one.
//! * [`record`] and [`learn`] are the **study**: the journal, kept images, and the figures that look back.
//! * [`explain`] works out afterwards why a verdict is what it is.
//! * [`outputs`] ejects what is not good, at its own moment, and says that the line is judged; [`gpio`] and [`modbus`] are
//!   the rims to chip and controller.
//! * [`govern`] is the **control room**: which model runs, by heat, power and pace; [`simulate`] tries it on boards that are
//!   not there.
//! * [`config`] turns files into [`config::Settings`], which everything else trusts.
//! * [`app`] wires all of it; read from top to bottom it is the picture of the running process.
//! * [`doctor`] says what a machine lacks, and the command that mends it.
//! * [`cli`] holds one file a subcommand.
//!
//! # Invariants
//!
//! * Every part that is admitted gets exactly one verdict, identified by (device, epoch, seq).
//! * A verdict is durable in the journal before it is published; the journal is the only outbox.
//! * A frame is one pooled buffer shared by reference; nobody writes to it after capture.
//! * A session lives on one named thread, which alone calls it once it has been handed over warm.
//! * A stage imports the types of [`flow`], never another stage. A test holds the import direction.
//! * Nothing degrades silently: what was asked for and what was got both stand in the verdict.

pub mod app;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod engines;
pub mod explain;
pub mod flow;
pub mod fusion;
pub mod govern;
pub mod gpio;
pub mod learn;
pub mod memory;
pub mod modbus;
pub mod models;
pub mod name;
pub mod notify;
pub mod outputs;
pub mod pulse;
pub mod record;
pub mod simulate;
pub mod task;
pub mod telemetry;
pub mod tensor;
pub mod value;
pub mod view;
