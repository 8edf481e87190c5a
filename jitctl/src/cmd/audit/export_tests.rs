//! Every format of an export, byte for byte, of one record of each kind there is (docs/schema/examples.jsonl). After a
//! change that is meant, write the files anew with `UPDATE_GOLDEN=1 cargo test -p jitctl export`, and read the difference.

use std::fs;
use std::path::Path;

use jit_core::proof::note::HostKey;

use super::proof_tests::Live;
use super::tests::Log;

#[test]
fn every_format_of_every_kind_of_record_is_as_it_was_read_and_found_good() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = fs::read_to_string(here.join("../docs/schema/examples.jsonl")).unwrap();
    let records: Vec<String> = examples.lines().map(str::to_owned).collect();
    let key = HostKey::from_seed("db-1/jitd".parse().unwrap(), &[7; 32]);
    let live = Live::of(Log { key, records });
    #[allow(
        clippy::disallowed_methods,
        reason = "the developer's word that the files are to be written anew"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for format in ["jsonl", "csv", "rfc5424", "cef", "ocsf"] {
        let ran = live.export(&["--format", format]);
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
            let (_preface, records) = ran.out.split_once('\n').unwrap();
            assert_eq!(records, examples, "the exact bytes");
        }
    }
}
