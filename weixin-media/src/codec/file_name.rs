//! File names that are safe to create (docs/field-notes.md#note-30).

/// The longest name that every usual file system takes, in bytes.
pub const MAX_FILE_NAME: usize = 255;

/// What a name is called that has nothing usable in it.
const NAMELESS: &str = "file";

/// Names that Windows gives to devices, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Makes a file name of a name from the wire: the part after the last `/` or `\`, without characters that control
/// a terminal, the direction of text or a path and without invisible ones, neither hidden nor a device nor an option
/// of a command, at most [`MAX_FILE_NAME`] bytes with its extension kept. Never empty.
///
/// U+200C and U+200D stay where they join what is no ASCII, as Persian words and composed emoji need them.
///
/// ```
/// use weixin_media::codec::safe_file_name;
///
/// assert_eq!(safe_file_name("../../etc/passwd"), "passwd");
/// assert_eq!(safe_file_name("报告 (2).pdf"), "报告 (2).pdf");
/// assert_eq!(safe_file_name(".."), "file");
/// ```
#[must_use]
pub fn safe_file_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = without_invisible(base).chars().map(visible).collect();
    // Leading dots hide a file; trailing dots and spaces vanish on Windows; a name of spaces is seen by nobody.
    let clean = trimmed(&clean);
    if clean.is_empty() {
        return NAMELESS.to_owned();
    }
    // A program that is given `-rf` takes it for an option.
    let name =
        if is_device(clean) || clean.starts_with('-') { format!("_{clean}") } else { clean.to_owned() };
    shortened(name)
}

fn trimmed(name: &str) -> &str {
    name.trim_matches(|char: char| char == '.' || char.is_whitespace())
}

fn visible(char: char) -> char {
    match char {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        char if char.is_whitespace() => ' ',
        char => char,
    }
}

/// Without the characters that nobody sees, but for joiners between letters or emoji that they join.
fn without_invisible(name: &str) -> String {
    let seen: Vec<char> = name.chars().filter(|char| is_joiner(*char) || !is_invisible(*char)).collect();
    let joins = |at: usize| {
        let is_joined = |char: Option<&char>| char.is_some_and(|char| !char.is_ascii() && !is_joiner(*char));
        is_joined(at.checked_sub(1).and_then(|before| seen.get(before))) && is_joined(seen.get(at + 1))
    };
    let kept = seen.iter().enumerate().filter(|(at, char)| !is_joiner(**char) || joins(*at));
    kept.map(|(_, char)| *char).collect()
}

fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}')
}

/// Control characters, those that turn the direction of text (`gpj.exe` must not be shown as `exe.jpg`), and those of no
/// width, by which two names look alike.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Windows takes `COM¹` for the device `COM1`, too.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |prefix| {
        let mut number = stem.strip_prefix(prefix).unwrap_or_default().chars();
        matches!((number.next(), number.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

fn shortened(name: String) -> String {
    if name.len() <= MAX_FILE_NAME {
        return name;
    }
    // An extension is short; a dot far from the end is part of a sentence.
    let extension =
        name.rfind('.').map(|dot| &name[dot..]).filter(|text| text.len() <= 20).unwrap_or_default();
    let mut end = MAX_FILE_NAME - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    // A joiner that joined what is cut off now joins nothing.
    let ends_badly = |char: char| char == '.' || char.is_whitespace() || is_joiner(char);
    format!("{}{extension}", name[..end].trim_end_matches(ends_badly))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_names_become_good_ones() {
        let long = format!("{}.tar.gz", "长".repeat(200));
        let cases = [
            "a.txt",
            "",
            ".",
            "..",
            "/",
            "a/..",
            "..\\..\\b.exe",
            "C:\\x.doc",
            "x\0y",
            "con",
            "COM1.txt",
            "company.txt",
            ".bashrc",
            "a. . ",
            "photo\u{202e}gpj.exe",
            "a\nb",
            "什么?.png",
            " spaced  name .txt",
            "gpj\u{61c}.exe",
            "a\u{180e}b\u{e0041}.txt",
            "a\u{3164}b\u{115f}\u{2800}.txt",
            "\u{3000}\u{a0}\u{3164}",
            "❤\u{fe0f}.png",
            "-rf",
            "--help.txt",
            "COM¹",
            "lpt².txt",
            "CONIN$",
            "\u{200d}a\u{200c}b\u{200d}.txt",
            "می\u{200c}خواهم.pdf",
            "👨\u{200d}👩\u{200d}👧.png",
            &long,
        ];
        let table: Vec<String> = cases
            .iter()
            .map(|name| (name, safe_file_name(name)))
            .map(|(name, safe)| match name.len() {
                0..100 => format!("{name:?} → {safe:?}"),
                length => format!("{length} bytes → {} bytes, {:?}", safe.len(), &safe[safe.len() - 9..]),
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    /// Found by fuzzing: what is cut must not end with what only stands between two characters.
    #[test]
    fn what_is_cut_stays_as_it_is() {
        for joiner in ['\u{200c}', '\u{200d}'] {
            for (filler, ending) in [(83, ""), (82, ".pdf"), (84, ""), (85, "")] {
                let name = format!("{}{joiner}长长长长{ending}", "长".repeat(filler));
                let safe = safe_file_name(&name);
                assert!(!safe.ends_with(joiner) && !safe.contains(&format!("{joiner}.")), "{safe:?}");
                assert_eq!(safe_file_name(&safe), safe);
            }
        }
    }

    proptest! {
        #[test]
        fn every_name_is_one_component(name in "(?s).{0,300}") {
            let safe = safe_file_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= MAX_FILE_NAME);
            prop_assert!(!safe.contains(['/', '\\', '\0']) && !safe.starts_with(['.', '-']));
            prop_assert_eq!(std::path::Path::new(&safe).components().count(), 1);
            prop_assert_eq!(safe_file_name(&safe), safe, "safe names stay as they are");
        }
    }
}
