//! Every format of an export, byte for byte, of one record of each kind there is (docs/schema/examples.jsonl). After a
//! change that is meant, write the files anew with `UPDATE_GOLDEN=1 cargo test -p jitctl export`, and read the difference.

use std::fs;
use std::path::Path;

use jit_core::model::CarriedBy;
use jit_proto::audit::{Carried, Checkpoint, Page};

use crate::call::Call;
use crate::testing::{Script, jitctl};

#[test]
fn every_format_of_every_kind_of_record_is_as_it_was_read_and_found_good() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = fs::read_to_string(here.join("../docs/schema/examples.jsonl")).unwrap();
    let records: Vec<String> = examples.lines().map(str::to_owned).collect();
    let total = records.len() as u64;
    let page = Page { records, next: total, total, ..Page::default() };
    let (key, root) =
        ("db-1/jitd+c40bb3d1+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs".to_owned(), String::new());
    let made = Checkpoint { note: String::new(), key, size: total, root };
    #[allow(
        clippy::disallowed_methods,
        reason = "the developer's word that the files are to be written anew"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for format in ["jsonl", "csv", "rfc5424", "cef", "ocsf"] {
        let how = CarriedBy::Export;
        let script = Script::answers(Call::AuditCheckpoint, &made)
            .then(Script::answers(Call::Records { first: 0, most: 0 }, &page))
            .then(Script::answers(
                Call::Carried { how, size: total },
                &Carried { how: how.as_str().to_owned(), size: total },
            ));
        let ran = jitctl(&["audit", "export", "--format", format], &script);
        assert_eq!(ran.code, 0, "{ran:?}");
        let path = here.join("tests/golden/export").join(format);
        if update {
            fs::write(&path, &ran.out).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        let differs = ran.out.lines().zip(kept.lines()).find(|(now, kept)| now != kept);
        assert_eq!(differs, None, "{format}");
        assert!(
            ran.out == kept,
            "{format}: {} lines, and {} kept",
            ran.out.lines().count(),
            kept.lines().count()
        );
        if format == "jsonl" {
            assert_eq!(ran.out, examples, "the exact bytes");
        }
    }
}
