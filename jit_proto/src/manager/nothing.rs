//! A text that is empty where there is nothing to say: `null` in JSON, as every other thing that does not apply.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    (!text.is_empty()).then_some(text).serialize(to)
}

/// An empty text, as an earlier jitd sent it, is nothing too.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::manager::Considered;

    #[test]
    fn where_there_is_nothing_to_say_json_has_null_and_reads_it_back() {
        let one = Considered {
            role: "shell".into(),
            missing: "nothing".into(),
            condition: "admits".into(),
            change: String::new(),
            approvers: "olga".into(),
        };
        let json = serde_json::to_value(&one).unwrap();
        assert_eq!((&json["change"], &json["approvers"]), (&serde_json::Value::Null, &"olga".into()));
        assert_eq!(serde_json::from_value::<Considered>(json).unwrap(), one);
        let before =
            r#"{"role":"shell","missing":"nothing","condition":"admits","change":"","approvers":"olga"}"#;
        assert_eq!(serde_json::from_str::<Considered>(before).unwrap(), one);
    }
}
