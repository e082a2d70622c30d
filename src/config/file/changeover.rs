//! The shape of `[changeover]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// A register of a controller by which the line is changed over, and another by which the controller is told.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changeover {
    /// `host:port` of a Modbus TCP server.
    #[schemars(required)]
    pub address: Option<String>,
    /// The unit behind that address.
    #[serde(default = "default::unit")]
    pub unit: u8,
    /// The holding register that is read, counted from 0: a new number there changes the line over, 0 asks for nothing.
    #[schemars(required)]
    pub register: Option<u16>,
    /// The holding register that is written: the number of the recipe in force once it is warm, else 0.
    #[schemars(required)]
    pub acknowledge: Option<u16>,
    /// How often the register is read.
    #[serde(default = "default::every_ms")]
    #[schemars(range(min = 10, max = 60_000))]
    pub every_ms: u64,
    /// The recipes by their numbers.
    #[schemars(required, length(min = 1, max = 256))]
    pub recipes: Option<Vec<NumberedRecipe>>,
}

/// A recipe and its number.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberedRecipe {
    /// The number in the registers.
    #[schemars(required, range(min = 1))]
    pub number: Option<u16>,
    /// The recipe.
    #[schemars(required)]
    pub recipe: Option<Name>,
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    pub(super) const fn unit() -> u8 {
        1
    }

    pub(super) const fn every_ms() -> u64 {
        200
    }
}
