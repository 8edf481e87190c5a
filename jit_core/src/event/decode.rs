//! Reads a record as it comes. serde's `flatten` would keep every value until it is known whose it is, once for the record, once
//! for the moment and once for the event, which is most of the work with a long log: here what is the record's own is taken out
//! of the map, and its event reads the rest.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer, MapAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::{Event, Record};
use crate::model::Actor;
use crate::time::{BootId, Moment, Suspicion, Utc};

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AsRecord)
    }
}

struct AsRecord;

impl<'de> Visitor<'de> for AsRecord {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut own = Own::default();
        let event = Event::deserialize(MapAccessDeserializer::new(Rest { map: &mut map, own: &mut own }))?;
        own.with(event)
    }
}

/// A value that is there and may be null.
#[derive(Deserialize)]
struct OrNull<T>(Option<T>);

/// What a record has beside its event, as far as it has come.
#[derive(Default)]
struct Own {
    seq: Option<u64>,
    time: Option<Utc>,
    boot_ms: Option<u64>,
    boot_id: Option<BootId>,
    ran_ms: Option<OrNull<u64>>,
    clock: Option<OrNull<Suspicion>>,
    synced: Option<OrNull<bool>>,
    actor: Option<OrNull<Actor>>,
}

impl Own {
    /// Takes the value of a key that is one of these; says whether it was.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "seq" => once("seq", &mut self.seq, map)?,
            "time" => once("time", &mut self.time, map)?,
            "boot_ms" => once("boot_ms", &mut self.boot_ms, map)?,
            "boot_id" => once("boot_id", &mut self.boot_id, map)?,
            "ran_ms" => once("ran_ms", &mut self.ran_ms, map)?,
            "clock" => once("clock", &mut self.clock, map)?,
            "synced" => once("synced", &mut self.synced, map)?,
            "actor" => once("actor", &mut self.actor, map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn with<E: Error>(self, event: Event) -> Result<Record, E> {
        let at = Moment {
            wall: self.time.ok_or_else(|| E::missing_field("time"))?,
            boot: self.boot_ms.ok_or_else(|| E::missing_field("boot_ms"))?,
            boot_id: self.boot_id.ok_or_else(|| E::missing_field("boot_id"))?,
            ran: self.ran_ms.and_then(|value| value.0),
            suspect: self.clock.and_then(|value| value.0),
            synced: self.synced.and_then(|value| value.0),
        };
        let seq = self.seq.ok_or_else(|| E::missing_field("seq"))?;
        Ok(Record { seq, at, actor: self.actor.and_then(|value| value.0), event })
    }
}

fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    key: &'static str,
    place: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    match place.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::duplicate_field(key)),
    }
}

/// The entries of the map that are not the record's own, which it takes as they come by.
struct Rest<'a, A> {
    map: &'a mut A,
    own: &'a mut Own,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(Key(key)) = self.map.next_key()? {
            if !self.own.take(&key, self.map)? {
                let key = match key {
                    Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
                    Cow::Owned(key) => seed.deserialize(CowStrDeserializer::new(Cow::Owned(key))),
                };
                return key.map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A key, where possible where it stands.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// One record of each kind.
    const EXAMPLES: &str = include_str!("../../../docs/schema/examples.jsonl");

    /// The same, as serde would read it.
    #[derive(Deserialize)]
    struct Flattened {
        seq: u64,
        #[serde(flatten)]
        at: Moment,
        #[serde(default)]
        actor: Option<Actor>,
        #[serde(flatten)]
        event: Event,
    }

    fn flattened(text: &str) -> Option<Record> {
        let Flattened { seq, at, actor, event } = serde_json::from_str(text).ok()?;
        Some(Record { seq, at, actor, event })
    }

    fn read(text: &str) -> Option<Record> {
        serde_json::from_str(text).ok()
    }

    /// One line of JSON in this order.
    fn line<'t>(entries: impl Iterator<Item = &'t (String, Value)>) -> String {
        let entries: Vec<String> = entries.map(|(key, value)| format!("{key:?}:{value}")).collect();
        format!("{{{}}}", entries.join(","))
    }

    #[test]
    fn a_record_is_read_as_serde_would_in_whatever_order_its_keys_come_and_whichever_is_missing() {
        let own = json!({"ran_ms": 7, "clock": "behind", "synced": true, "actor": {"uid": 0}});
        for example in EXAMPLES.lines() {
            let mut all: Value = serde_json::from_str(example).unwrap();
            for (key, value) in own.as_object().unwrap() {
                all.as_object_mut().unwrap().entry(key).or_insert_with(|| value.clone());
            }
            let with_all = all.to_string();
            assert!(read(example).is_some(), "{example}");
            for text in [example, &with_all] {
                assert_eq!(read(text), flattened(text), "{text}");
                let Value::Object(entries) = serde_json::from_str(text).unwrap() else { panic!("{text}") };
                // By name, which is another order than ours.
                let entries: Vec<(String, Value)> = entries.into_iter().collect();
                let (sorted, turned) = (line(entries.iter()), line(entries.iter().rev()));
                assert_eq!((read(&sorted), read(&turned)), (read(text), read(text)), "{text}");
                for (key, _) in &entries {
                    let less = line(entries.iter().filter(|(other, _)| other != key));
                    assert_eq!(read(&less), flattened(&less), "{less}");
                }
            }
            for bad in ["{}", "[]", "7", &example[..example.len() - 1], &format!("{example}}}")] {
                assert_eq!(read(bad), None, "{bad}");
            }
        }
    }

    #[test]
    fn a_record_that_says_one_thing_twice_is_none_also_where_it_says_nothing_once() {
        for example in EXAMPLES.lines() {
            let null = example.replacen('{', "{\"seq\":null,", 1);
            assert_eq!((read(&null), flattened(&null)), (None, None));
            for twice in ["\"seq\":1", "\"boot_ms\":1", "\"synced\":null,\"synced\":true"] {
                let text = example.replacen('{', &format!("{{{twice},"), 1);
                let why = serde_json::from_str::<Record>(&text).unwrap_err();
                assert!(why.to_string().contains("duplicate field"), "{why}");
            }
        }
    }

    #[test]
    fn a_key_with_an_escape_in_it_is_the_same_key() {
        let example = EXAMPLES.lines().next().unwrap();
        let escaped = example.replacen("\"seq\"", "\"s\\u0065q\"", 1);
        assert_ne!(example, escaped);
        assert_eq!(read(&escaped), read(example));
        let escaped = example.replacen("\"event\"", "\"ev\\u0065nt\"", 1);
        assert_eq!(read(&escaped), read(example));
    }
}
