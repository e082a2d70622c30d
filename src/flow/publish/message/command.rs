//! What a device is told in a command's payload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::LABEL;
use crate::flow::review::Truth;
use crate::name::Name;

/// What an operator says of a judged part: the payload of the command `label`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelMessage {
    /// `kenpin.label/1`.
    pub schema: String,
    /// The epoch of the verdict.
    pub epoch: Uuid,
    /// The number of the verdict.
    pub seq: u64,
    /// What the part really is.
    pub truth: Truth,
    /// What kind of defect, or of good part, it is, in the operator's word; kept and listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
    /// Who says so.
    pub by: Name,
}

impl LabelMessage {
    /// Reads a payload.
    ///
    /// # Errors
    /// One sentence: no JSON, a key that is unknown, missing or out of its range, or another schema.
    pub fn read(payload: &[u8]) -> Result<Self, String> {
        let message: Self =
            serde_json::from_slice(payload).map_err(|error| format!("the payload is no {LABEL}: {error}"))?;
        if message.schema != LABEL {
            return Err(format!("the payload is of schema {:?}, want {LABEL:?}", message.schema));
        }
        Ok(message)
    }
}

/// What a person says to the control charts: the payload of the command `chart`. One word and nothing else, so that a controller
/// without JSON can send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartOrder {
    /// `acknowledge`: all alarms are over, and the rules begin to count anew against the same limits.
    Acknowledge,
    /// `baseline`: all charts begin anew, as after a change of the process that was meant.
    Baseline,
}

impl ChartOrder {
    /// Reads a payload.
    ///
    /// # Errors
    /// One sentence: another word.
    pub fn read(payload: &[u8]) -> Result<Self, String> {
        match payload.trim_ascii() {
            b"acknowledge" => Ok(Self::Acknowledge),
            b"baseline" => Ok(Self::Baseline),
            other => {
                let seen: String = String::from_utf8_lossy(other).chars().take(80).collect();
                Err(format!("the payload is {seen:?}, want \"acknowledge\" or \"baseline\""))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schemas;
    use super::*;

    const EPOCH: &str = "00000000-0000-0000-0000-000000000007";

    #[test]
    fn what_it_writes_holds_to_its_schema_and_is_read() {
        let name = |text: &str| Name::new(text).unwrap();
        let (class, by) = (Some(name("crack")), name("anna"));
        let told =
            LabelMessage { schema: LABEL.into(), epoch: Uuid::from_u128(7), seq: 3, truth: Truth::Bad, class, by };
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!((&json["epoch"], &json["truth"]), (&EPOCH.into(), &"bad".into()));
        let validator = jsonschema::validator_for(&schemas()[LABEL]).unwrap();
        assert!(validator.is_valid(&json), "{json}");
        assert_eq!(LabelMessage::read(json.to_string().as_bytes()).unwrap(), told);
    }

    #[test]
    fn an_order_to_the_charts_is_one_word() {
        assert_eq!(ChartOrder::read(b"acknowledge\n"), Ok(ChartOrder::Acknowledge));
        assert_eq!(ChartOrder::read(b"baseline"), Ok(ChartOrder::Baseline));
        assert!(ChartOrder::read(b"").unwrap_err().starts_with("the payload is \"\", want"));
        assert!(ChartOrder::read(&[0xff; 500]).unwrap_err().len() < 400);
    }

    #[test]
    fn what_is_no_label_is_refused_in_a_sentence() {
        let told = |change: &str, to: &str| {
            let text = format!(r#"{{"schema":"kenpin.label/1","epoch":"{EPOCH}","seq":3,"truth":"good","by":"anna"}}"#);
            assert!(text.contains(change), "{change}");
            LabelMessage::read(text.replacen(change, to, 1).as_bytes()).unwrap_err()
        };
        for (change, to, wanted) in [
            ("label/1", "label/2", "the payload is of schema \"kenpin.label/2\", want \"kenpin.label/1\""),
            ("{", "", "the payload is no kenpin.label/1: "),
            ("\"by\"", "\"from\"", "unknown field `from`, expected one of `schema`, `epoch`, `seq`"),
            ("\"good\"", "\"fine\"", "unknown variant `fine`, expected `good` or `bad`"),
            (",\"by\":\"anna\"", "", "missing field `by`"),
            ("\"anna\"", "\"Anna B.\"", "want 1 to 64 of a-z"),
            (":3,", ":-3,", "invalid value: integer `-3`"),
            (EPOCH, "seven", "UUID parsing failed"),
        ] {
            let told = told(change, to);
            assert!(told.contains(wanted), "{told}");
        }
        assert!(LabelMessage::read(&[0xff, 0xfe]).unwrap_err().starts_with("the payload is no kenpin.label/1"));
        assert!(LabelMessage::read(b"").is_err());
    }
}
