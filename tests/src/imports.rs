//! Who imports what inside one crate, read from its source: enough of Rust's paths to draw the arrows between modules.
//! Tests are left out. Whoever takes a name from a module that passes it on (`pub use`) imports both that module and the
//! one that defines the name: a module that gathers its children's names is in a circle as soon as one of them takes
//! anything from it.

#![allow(clippy::panic, reason = "a panic here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module by the names that lead to it from the crate's root; the root itself has none.
pub type Module = Vec<String>;

/// For each module, the modules that it imports from, and the names that it takes there.
pub type Imports = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

/// A crate's modules, as far as they are no tests.
#[derive(Debug, Default)]
pub struct Crate {
    /// The file and the words of each.
    modules: BTreeMap<Module, (PathBuf, Vec<String>)>,
    /// The paths that each passes on, by their last name.
    passed_on: BTreeMap<(Module, String), Vec<String>>,
}

/// Writes a module as Rust does.
#[must_use]
pub fn shown(module: &[String]) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.join("::") }
}

impl Crate {
    /// Reads a crate from its root file on, following `mod`.
    ///
    /// # Panics
    ///
    /// If a module's file is not where Rust looks for it.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let mut found = Self::default();
        let mut open = vec![(Vec::new(), root.to_owned(), root.parent().unwrap_or(root).to_owned())];
        while let Some((module, file, folder)) = open.pop() {
            let text = fs::read_to_string(&file).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
            for name in found.add(module.clone(), file, &text) {
                let below: Module = module.iter().cloned().chain([name.clone()]).collect();
                let flat = folder.join(format!("{name}.rs"));
                let file = if flat.is_file() { flat } else { folder.join(&name).join("mod.rs") };
                open.push((below, file, folder.join(name)));
            }
        }
        found
    }

    /// Adds a module; the names of the modules that it declares in files of their own.
    pub fn add(&mut self, module: Module, file: PathBuf, text: &str) -> Vec<String> {
        let words = without_tests(words(text));
        for (is_passed_on, path) in used(&words) {
            if let Some(name) = path.last().filter(|_| is_passed_on) {
                self.passed_on.insert((module.clone(), name.clone()), path.clone());
            }
        }
        let declared = words.windows(3).filter(|three| three[0] == "mod" && three[2] == ";");
        let declared = declared.map(|three| three[1].clone()).collect();
        self.modules.insert(module, (file, words));
        declared
    }

    /// The file of each module.
    pub fn files(&self) -> impl Iterator<Item = (&Module, &Path)> {
        self.modules.iter().map(|(module, (file, _))| (module, file.as_path()))
    }

    /// Every arrow between two modules.
    #[must_use]
    pub fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, (_, words)) in &self.modules {
            let arrows = imports.entry(module.clone()).or_default();
            let named = used(words).into_iter().map(|(_, path)| path).chain(self.inline(module, words));
            for path in named {
                let Some(path) = self.absolute(module, &path) else { continue };
                let both = [self.named(&path), self.resolve(&path, 0)];
                for (from, name) in both.into_iter().flatten().filter(|(from, _)| from != module) {
                    arrows.entry(from).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// Paths in the code itself: from the root, from the module above, or through a module declared here.
    fn inline(&self, module: &[String], words: &[String]) -> Vec<Vec<String>> {
        let is_child = |word: &String| {
            let child: Module = module.iter().cloned().chain([word.clone()]).collect();
            self.modules.contains_key(&child)
        };
        let mut found = Vec::new();
        let mut is_used = false;
        for (at, word) in words.iter().enumerate() {
            // What a `use` says is read as a tree.
            is_used = if is_used { word != ";" } else { word == "use" };
            let begins = !is_used && (at == 0 || words[at - 1] != "::");
            let starts = matches!(word.as_str(), "crate" | "super") || is_child(word);
            if begins && starts && words.get(at + 1).is_some_and(|next| next == "::") {
                let rest = words[at..].chunks(2).take_while(|pair| is_name(&pair[0]));
                let mut path = Vec::new();
                for pair in rest {
                    path.push(pair[0].clone());
                    if pair.get(1).is_none_or(|next| next != "::") {
                        break;
                    }
                }
                found.push(path);
            }
        }
        found
    }

    /// A path from the crate's root on, if it stays inside the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut base = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                let child: Module = module.iter().cloned().chain([child.to_owned()]).collect();
                self.modules.get(&child)?;
            }
        }
        Some([base, rest.to_vec()].concat())
    }

    /// The module that a path leads to, and the name that is taken there.
    fn named(&self, path: &[String]) -> Option<(Module, String)> {
        let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let name = path.get(length).map_or("itself", String::as_str);
        Some((path[..length].to_vec(), name.to_owned()))
    }

    /// The module that defines what a path names, and the name.
    fn resolve(&self, path: &[String], depth: usize) -> Option<(Module, String)> {
        let (module, name) = self.named(path)?;
        match self.passed_on.get(&(module.clone(), name.clone())) {
            // The name of another crate's, or of what this module has from elsewhere.
            Some(passed) if depth < 8 => {
                let passed = self.absolute(&module, passed)?;
                self.resolve(&[&passed, &path[module.len() + 1..]].concat(), depth + 1)
            }
            _ => Some((module, name)),
        }
    }
}

/// The modules that import each other in a circle, each circle once.
#[must_use]
pub fn circles(imports: &Imports) -> Vec<Vec<Module>> {
    let reached = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for next in imports.get(module).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|module| (module, reached(module))).collect();
    let mut circles: Vec<Vec<Module>> = Vec::new();
    for (module, reached) in &reach {
        let back = |other: &&&Module| reach.get(**other).is_some_and(|from| from.contains(*module));
        let circle: Vec<Module> = reached.iter().filter(back).map(|module| (*module).clone()).collect();
        if circle.contains(module) && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names and signs of a text, without comments and what stands in quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(end) = text_end(rest) {
            end
        } else if is_name(rest) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            end
        } else if rest.starts_with("::") {
            words.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                words.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    words
}

/// Where a text in quotes ends, if one begins here. A lifetime is none.
fn text_end(rest: &str) -> Option<usize> {
    let raw = rest.strip_prefix('r').map(|rest| rest.trim_start_matches('#'));
    if let Some(raw) = raw.and_then(|raw| raw.strip_prefix('"')) {
        let marks = rest.len() - raw.len() - 2;
        let end = format!("\"{}", "#".repeat(marks));
        return Some(rest.len() - raw.len() + raw.find(&end)? + end.len());
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut characters = rest.char_indices().skip(1);
    if quote == '\'' {
        let (_, first) = characters.next()?;
        let (at, second) = characters.next()?;
        return match (first, second) {
            ('\\', _) => Some(at + second.len_utf8() + rest[at + second.len_utf8()..].find('\'')? + 1),
            (_, '\'') => Some(at + 1),
            _ => None,
        };
    }
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Without what is compiled for tests alone: a module that stands last, one in a file of its own, an import.
fn without_tests(words: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept: Vec<String> = Vec::new();
    let mut rest = words.as_slice();
    while let Some(word) = rest.first() {
        if rest.len() < mark.len() || rest.iter().zip(mark).any(|(word, mark)| word != mark) {
            kept.push(word.clone());
            rest = &rest[1..];
            continue;
        }
        let end = rest.iter().position(|word| word == ";" || word == "{").unwrap_or(rest.len() - 1);
        if rest[end] == "{" && rest[..end].iter().any(|word| word == "mod") {
            break;
        }
        let is_group = rest[..end].iter().any(|word| word == "use");
        let end = if is_group { rest.iter().position(|word| word == ";").unwrap_or(end) } else { end };
        rest = &rest[end + 1..];
    }
    kept
}

/// The paths of every `use`, each with whether it is passed on.
fn used(words: &[String]) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for at in (0..words.len()).filter(|at| words[*at] == "use") {
        let is_passed_on = at > 0 && (words[at - 1] == "pub" || words[at - 1] == ")");
        let mut paths = Vec::new();
        tree(&words[at + 1..], &mut Vec::new(), &mut paths);
        found.extend(paths.into_iter().map(|path| (is_passed_on, path)));
    }
    found
}

/// The paths of one tree of a `use`, up to its end; how many words that took.
fn tree(words: &[String], prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while words.get(at).is_some_and(|word| word != "}") {
                    at += tree(&words[at..], prefix, paths);
                    at += usize::from(words.get(at).is_some_and(|word| word == ","));
                }
                prefix.truncate(depth);
                return at + 1;
            }
            "as" => at += 2,
            "self" if !prefix.is_empty() => at += 1,
            word if is_name(word) => {
                prefix.push(word.to_owned());
                at += 1;
            }
            "*" => at += 1,
            _ => break,
        }
    }
    if !prefix.is_empty() {
        paths.push(prefix.clone());
    }
    prefix.truncate(depth);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str) -> Module {
        name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn arrows(files: &[(&str, &str)]) -> Imports {
        let mut found = Crate::default();
        for (name, text) in files {
            found.add(module(name), PathBuf::new(), text);
        }
        found.imports()
    }

    fn names(circles: &[Vec<Module>]) -> Vec<Vec<String>> {
        circles.iter().map(|circle| circle.iter().map(|module| shown(module)).collect()).collect()
    }

    #[test]
    fn modules_that_import_each_other_are_a_circle_however_they_write_it() {
        for (one, other) in [
            ("use crate::b::B;", "use crate::a::{self, A};"),
            ("use super::b::{B, C as D};", "fn f() -> crate::a::A { crate::a::new() }"),
            ("pub use crate::b::B;", "use std::fmt; use crate::{a::A};"),
        ] {
            let arrows = arrows(&[("", "mod a; mod b;"), ("a", one), ("b", other)]);
            assert_eq!(names(&circles(&arrows)), [["a", "b"]], "{one} {other}");
        }
    }

    #[test]
    fn what_tests_import_and_what_is_only_written_about_is_no_arrow() {
        let b = "// crate::a::A\nconst T: &str = \"crate::a::A\"; const C: char = '\"';\n\
                 #[cfg(test)]\nuse crate::a::A;\n#[cfg(test)]\nmod tests { use crate::a::A; }";
        let arrows = arrows(&[("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", b)]);
        assert_eq!(circles(&arrows), Vec::<Vec<Module>>::new());
        assert!(arrows[&module("a")].contains_key(&module("b")) && arrows[&module("b")].is_empty());
    }

    #[test]
    fn a_name_that_is_passed_on_is_of_its_definer_and_of_who_passes_it_on() {
        let gathers = "mod child; mod other; pub use child::Child; pub use other::Other;";
        let arrows_of = |a: &str, child, other| {
            arrows(&[
                ("", "mod a; mod b;"),
                ("a", a),
                ("a::child", child),
                ("a::other", other),
                ("b", "use crate::a::Other;"),
            ])
        };
        let other = "pub struct Other;";
        let direct = arrows_of(gathers, "use super::other::Other; pub struct Child;", other);
        for from in ["a", "a::other"] {
            assert!(direct[&module("b")].contains_key(&module(from)), "{from}");
        }
        assert_eq!(circles(&direct), Vec::<Vec<Module>>::new());
        for child in ["use super::Other; pub struct Child;", "use super::Here; pub struct Child;"] {
            let knot = arrows_of(&format!("{gathers} pub struct Here;"), child, other);
            assert_eq!(names(&circles(&knot)), [["a", "a::child"]], "{child}");
        }
        // As a screen took what it draws from the program that draws, which passed it on.
        let knot = arrows_of(gathers, "pub struct Child;", "use crate::b::B; pub struct Other;");
        assert_eq!(names(&circles(&knot)), [vec!["a", "a::other", "b"]]);
    }
}
