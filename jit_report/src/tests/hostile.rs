//! What people typed does nothing in any form of a report.

use jit_proto::text::is_unprintable;

use super::{Log, only};
use crate::{csv, html};

/// A formula that spreads over cells and looks like a tag. Controls no reason can have; a record that was forged can
/// have them in other fields.
const HOSTILE: &str = r#"=HYPERLINK("http://x.example","a"); 'b' <script>alert(1)</script> | %0a"#;

fn log() -> Log {
    let mut log = Log::default();
    log.asks_because(0, "00000001", "maria", "shell", HOSTILE).opens(0, "00000001", "maria", "shell");
    log.ends(10, "00000001", "revoked");
    let left = r#","spared":"\u001b[2J\u202e\n=1+1","escape":"</td>""#;
    log.gone(10, "00000001", "maria", "1", left);
    log
}

#[test]
fn a_row_of_the_table_is_one_line_of_cells_none_of_which_is_a_formula() {
    let report = log().report();
    let row = csv::row(only(&report));
    let line = row.strip_suffix("\r\n").unwrap();
    assert!(!line.chars().any(is_unprintable), "{line}");
    assert!(line.contains(r#","'=HYPERLINK(""http://x.example"",""a""); 'b' <script>"#), "{line}");
    let cells = cells(line);
    assert_eq!(cells.len(), cells_of_heading());
    let is_formula = |cell: &&String| cell.starts_with(['=', '+', '-', '@', '|', '%']);
    assert_eq!(cells.iter().find(is_formula), None);
}

fn cells_of_heading() -> usize {
    cells(csv::heading().trim_end()).len()
}

/// Cells of a line, read by RFC 4180 and no code of ours.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted, "{line}");
    cells
}

#[test]
fn a_sentence_about_something_hostile_is_kept_as_it_is_for_the_view_to_escape() {
    let report = log().report();
    let escape = report.attention.iter().find(|one| one.what == "escape").unwrap();
    assert!(escape.text.ends_with("is not excluded: </td>"), "{}", escape.text);
}

#[test]
fn a_page_shows_what_was_typed_runs_and_fetches_nothing_and_hides_no_character() {
    let page = html::page(&log().report());
    assert!(!page.chars().any(|c| is_unprintable(c) && c != '\n'), "{page}");
    // Every tag is one of the template's: what was typed ends none and begins none.
    let text = "=HYPERLINK(&quot;http://x.example&quot;,&quot;a&quot;); 'b' &lt;script&gt;alert(1)&lt;/script&gt; | %0a";
    assert!(page.contains(text), "{page}");
    assert!(page.contains(r"spared: \u{1b}[2J\u{202e}\u{a}=1+1") && page.contains("&lt;/td&gt;"), "{page}");
    for word in ["<script", "javascript:", " onload", " src=", "url(", "@import", "<a href=\"http"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"), "{page}");
}

#[test]
fn a_page_ends_each_element_that_it_begins() {
    let page = html::page(&log().report());
    let mut open = Vec::new();
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if ["meta", "!DOCTYPE"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}
