//! QR codes on a console. One of version 5 with the margin that the standard asks for is 45 modules wide and high: with two
//! modules in a character it takes 23 of the 24 lines of a console, and 45 of its 80 columns.

use jit_core::sign::compact::Rows;
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

use crate::error::Error;
use crate::screen::Screen;
use crate::terminal::paint::in_white_on_black;

/// The largest that a console of 80x24 shows whole.
const LARGEST: u8 = 5;

/// Light modules round the code (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// How a code is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drawn {
    /// In half blocks, for what shows UTF-8.
    Blocks,
    /// In ASCII, two letters for each module, for 90 columns and 45 lines.
    Ascii,
}

/// Shows the codes of a compact form one after the other: each stays until it has been scanned.
pub(super) fn show(rows: &Rows, how: Drawn, screen: &mut Screen<'_>) -> Result<(), Error> {
    let codes: Vec<String> = rows.codes().collect();
    for (number, text) in (1..).zip(&codes) {
        let lines =
            draw(text, how).ok_or_else(|| Error::Usage("it does not fit into a QR code".to_owned()))?;
        if screen.terminal && how == Drawn::Blocks {
            screen.draw(&in_white_on_black(&lines))?;
        } else {
            screen.data(&(lines.join("\n") + "\n"))?;
        }
        let which = format!("Code {number} of {}", codes.len());
        if screen.can_ask() {
            // In the last line of the console, so that the code above it is whole.
            screen.ask(&format!("{which}; Enter when it has been scanned: "));
        } else {
            screen.say(&which);
        }
    }
    Ok(())
}

/// The lines of a code that has a whole text as it is, for a terminal of some 35 lines. Nothing where it does not fit.
pub(in crate::cmd) fn of_text(text: &str) -> Option<Vec<String>> {
    /// Of 57 modules a side: a checkpoint of the longest name fits.
    const LARGEST_TEXT: u8 = 12;

    drawn(&[QrSegment::make_bytes(text.as_bytes())], LARGEST_TEXT, Drawn::Blocks)
}

/// The lines of one code, for light letters on a dark screen. Nothing where the text does not fit.
fn draw(text: &str, how: Drawn) -> Option<Vec<String>> {
    if !QrSegment::is_alphanumeric(text) {
        return None;
    }
    drawn(&[QrSegment::make_alphanumeric(text)], LARGEST, how)
}

fn drawn(segments: &[QrSegment], largest: u8, how: Drawn) -> Option<Vec<String>> {
    let (least, most) = (Version::new(1), Version::new(largest));
    let code = QrCode::encode_segments_advanced(segments, QrCodeEcc::Low, least, most, None, true).ok()?;
    let side = -MARGIN..code.size() + MARGIN;
    let is_light = |x: i32, y: i32| side.contains(&y) && !code.get_module(x, y);
    Some(match how {
        Drawn::Blocks => {
            let character = |x: i32, y: i32| match (is_light(x, y), is_light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            };
            side.clone().step_by(2).map(|y| side.clone().map(|x| character(x, y)).collect()).collect()
        }
        Drawn::Ascii => {
            let module = |x: i32, y: i32| if is_light(x, y) { "##" } else { "  " };
            side.clone().map(|y| side.clone().map(|x| module(x, y)).collect()).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    const TEXT: &str = "0511ABCDEFGHJKMNPQRSTVWXYZ0123\
                        1BCDEFGHJKMNPQRSTVWXYZ01234567\
                        2CDEFGHJKMNPQRSTVWXYZ012345678\
                        3DEFGHJKMNPQRSTVWXYZ0123456789\
                        4EFGHJKMNPQRSTVWXYZ0123456789A";

    /// What an 80x24 console of 8x16 dots a character shows, as a picture (PGM): light letters on black.
    fn screenshot(lines: &[String]) -> Vec<u8> {
        assert!(lines.len() < 24, "one line is left for the question: {}", lines.len());
        pictured(lines, 24)
    }

    /// The same of one with more lines.
    fn pictured(lines: &[String], high: usize) -> Vec<u8> {
        const COLUMNS: usize = 80;
        let mut dots = vec![0_u8; COLUMNS * 8 * high * 16];
        for (line, text) in lines.iter().enumerate() {
            assert!(text.chars().count() <= COLUMNS);
            for (column, character) in text.chars().enumerate() {
                let (above, below) = match character {
                    '█' => (true, true),
                    '▀' => (true, false),
                    '▄' => (false, true),
                    _ => (false, false),
                };
                for (row, is_light) in (0..16).map(|row| (row, if row < 8 { above } else { below })) {
                    let start = (line * 16 + row) * COLUMNS * 8 + column * 8;
                    dots[start..start + 8].fill(if is_light { 255 } else { 0 });
                }
            }
        }
        [format!("P5\n{} {}\n255\n", COLUMNS * 8, high * 16).into_bytes(), dots].concat()
    }

    /// By a program that others wrote.
    fn scanned(picture: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("screen.pgm");
        fs::write(&path, picture).unwrap();
        let scanned = Command::new("zbarimg").args(["-q", "--raw"]).arg(&path).output();
        let scanned = scanned.expect("zbarimg of zbar-tools, which tests/bed/install installs");
        String::from_utf8(scanned.stdout).unwrap()
    }

    #[test]
    fn a_code_of_five_rows_is_scanned_from_a_console_of_80_by_24() {
        let lines = draw(TEXT, Drawn::Blocks).unwrap();
        assert_eq!(lines.len(), 23);
        assert_eq!(scanned(&screenshot(&lines)), format!("{TEXT}\n"));
        // One half block that is gone is mended by the code; a third of them is not.
        let mut spoilt = lines.clone();
        for line in &mut spoilt[8..16] {
            *line = " ".repeat(45);
        }
        assert_eq!(scanned(&screenshot(&spoilt)), "");
    }

    #[test]
    fn a_checkpoint_is_scanned_whole_from_one_code() {
        let name = "h".repeat(64);
        let note =
            format!("{name}/jitd\n1000000\n{}\n\n\u{2014} {name}/jitd {}\n", "A".repeat(44), "B".repeat(92));
        let lines = of_text(&note).unwrap();
        assert!(lines.len() <= 35, "{}", lines.len());
        assert_eq!(scanned(&pictured(&lines, 40)), format!("{note}\n"));
        assert!(of_text(&"x".repeat(400)).is_none());
    }

    #[test]
    fn what_does_not_fit_a_console_or_is_no_row_makes_no_code() {
        assert!(draw(&"A".repeat(154), Drawn::Blocks).is_some());
        assert!(draw(&"A".repeat(155), Drawn::Blocks).is_none());
        assert!(draw("a", Drawn::Blocks).is_none());
    }

    #[test]
    fn in_ascii_it_is_the_same_code_twice_as_wide() {
        let (blocks, ascii) = (draw(TEXT, Drawn::Blocks).unwrap(), draw(TEXT, Drawn::Ascii).unwrap());
        assert_eq!((ascii.len(), ascii[0].len()), (45, 90));
        for (y, line) in ascii.iter().enumerate() {
            for (x, character) in blocks[y / 2].chars().enumerate() {
                let is_light = character == '█' || character == if y % 2 == 0 { '▀' } else { '▄' };
                assert_eq!(&line[2 * x..2 * x + 2] == "##", is_light, "{x},{y}");
            }
        }
    }
}
