//! No method answers before it has been asked whether the caller may call it: all that are served are called, as a bus
//! client would, by callers who may not.

use std::sync::Arc;

use jit_core::access::{LoginUid, Method, Unread};
use jit_proto::words::Uid;
use jit_proto::{OBJECT_PATH, error_name};
use zbus::block_on;
use zbus::wire::{Structure, StructureBuilder, Variant};

use super::contract_tests::served;
use crate::app::App;
use crate::peer::Peer;
use crate::testing::{app, served_to};

/// A method as it is served: its interface, its name, and the types of what it takes.
type Served = (String, String, Vec<String>);

fn methods(xml: &str) -> Vec<Served> {
    let value = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let mut interface = String::new();
    let mut all: Vec<Served> = Vec::new();
    let mut in_method = false;
    for line in xml.lines().map(str::trim_start) {
        if line.starts_with("<interface ") {
            interface = value(line, "name").unwrap();
        } else if line.starts_with("<method ") {
            all.push((interface.clone(), value(line, "name").unwrap(), Vec::new()));
            in_method = true;
        } else if line.starts_with("<signal ") {
            in_method = false;
        } else if line.starts_with("<arg ") && in_method && line.contains("direction=\"in\"") {
            all.last_mut().unwrap().2.push(value(line, "type").unwrap());
        }
    }
    all
}

/// Nothing, of each of these types; a method may take none.
fn nothing(types: &[String]) -> Option<Structure<'static>> {
    let mut body = StructureBuilder::new();
    for of in types {
        body.push_value(match of.as_str() {
            "s" => Variant::from(""),
            "t" => Variant::from(0_u64),
            "u" => Variant::from(0_u32),
            "b" => Variant::from(false),
            "as" => Variant::from(Vec::<String>::new()),
            "ay" => Variant::from(Vec::<u8>::new()),
            "aay" => Variant::from(Vec::<Vec<u8>>::new()),
            "(ayssssssuu)" | "(aysssuss)" => {
                let fields = of.trim_matches(['(', ')']).strip_prefix("ay").unwrap();
                let mut question = StructureBuilder::new();
                question.push_value(Variant::from(Vec::<u8>::new()));
                for field in fields.chars() {
                    question.push_value(if field == 's' { Variant::from("") } else { Variant::from(0_u32) });
                }
                Variant::from(question.build().unwrap())
            }
            other => panic!("no value of type {other}"),
        });
    }
    (!types.is_empty()).then(|| body.build().unwrap())
}

/// What each method answers a caller: the name of its error and the text; neither where it is none.
async fn answers(app: &Arc<App>, peer: Peer) -> Vec<(String, String, String)> {
    let (_server, client) = served_to(app, peer).await;
    let mut all = Vec::new();
    for (interface, member, types) in methods(&served()) {
        let (name, method) = (interface.as_str(), member.as_str());
        let answer = match nothing(&types) {
            Some(body) => client.call_method(None::<&str>, OBJECT_PATH, Some(name), method, &body).await,
            None => client.call_method(None::<&str>, OBJECT_PATH, Some(name), method, &()).await,
        };
        let (error, text) = match answer {
            Err(zbus::Error::MethodError(error, text, _)) => (error.to_string(), text.unwrap_or_default()),
            // Status answers in any state.
            Ok(_) => (String::new(), String::new()),
            Err(other) => panic!("{interface}.{member}: {other:?}"),
        };
        all.push((format!("{}.{member}", name.rsplit('.').next().unwrap()), error, text));
    }
    all
}

fn uid(number: u32) -> Uid {
    Uid::try_from(number).unwrap()
}

#[test]
fn every_method_that_is_served_has_a_row_and_every_row_a_method() {
    let served: Vec<String> = methods(&served())
        .into_iter()
        .map(|(interface, member, _)| format!("{}.{member}", interface.rsplit('.').next().unwrap()))
        .collect();
    let rows: Vec<String> = Method::ALL
        .iter()
        .map(|method| method.row())
        .map(|(interface, member, _)| format!("{interface}.{member}"))
        .collect();
    assert_eq!(served, rows);
}

#[test]
fn no_method_answers_anything_to_a_caller_in_another_login_or_who_has_gone() {
    block_on(async {
        let app = app();
        let forged = Peer::told(uid(33), Ok(LoginUid::Set(uid(1001))));
        let gone = Peer::told(uid(33), Err(Unread::Gone));
        for (peer, why) in [(forged, "uid 1001"), (gone, "has gone")] {
            for (method, error, text) in answers(&app, peer).await {
                assert_eq!(error, error_name::NOT_PERMITTED, "{method}: {text}");
                let why = if method.starts_with("Ask.") { "only root's PAM modules" } else { why };
                assert!(text.contains(why), "{method}: {text}");
            }
        }
        let root = Peer::told(Uid::ROOT, Err(Unread::Gone));
        for (method, error, text) in answers(&app, root).await {
            assert_eq!(error, error_name::NOT_PERMITTED, "{method}: {text}");
            assert!(text.contains("has gone"), "{method}: {text}");
        }
    });
}

#[test]
fn who_may_call_comes_as_far_as_what_was_asked() {
    block_on(async {
        let app = app();
        // The store is not open, and no word is one: nothing is answered, and nobody is refused for who they are.
        for (method, error, text) in answers(&app, Peer::told(Uid::ROOT, Ok(LoginUid::Unset))).await {
            assert!(
                ["", error_name::INVALID, error_name::BUSY].contains(&error.as_str()),
                "{method}: {error}: {text}"
            );
        }
    });
}
