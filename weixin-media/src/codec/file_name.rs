//! File names that are safe to create (docs/field-notes.md#note-30).

/// The longest name that every usual file system takes, in bytes.
pub const MAX_FILE_NAME: usize = 255;

/// What a name is called that has nothing usable in it.
const NAMELESS: &str = "file";

/// Names that Windows gives to devices, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Makes a file name of a name from the wire: the part after the last `/` or `\`, without characters that control
/// a terminal, the direction of text or a path, neither hidden nor a device, at most [`MAX_FILE_NAME`] bytes with
/// its extension kept. Never empty.
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
    let clean: String = base.chars().filter(|char| !is_invisible(*char)).map(visible).collect();
    // Leading dots hide a file; trailing dots and spaces vanish on Windows.
    let clean = clean.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    if clean.is_empty() {
        return NAMELESS.to_owned();
    }
    let name = if is_device(clean) { format!("_{clean}") } else { clean.to_owned() };
    shortened(name)
}

fn visible(char: char) -> char {
    match char {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        char if char.is_whitespace() => ' ',
        char => char,
    }
}

/// Control characters, and those that turn the direction of text: `gpj.exe` must not be shown as `exe.jpg`.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |prefix| {
        let number = stem.strip_prefix(prefix);
        number.is_some_and(|number| number.len() == 1 && number.bytes().all(|digit| digit.is_ascii_digit()))
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
    format!("{}{extension}", name[..end].trim_end_matches(['.', ' ']))
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

    proptest! {
        #[test]
        fn every_name_is_one_component(name in "(?s).{0,300}") {
            let safe = safe_file_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= MAX_FILE_NAME);
            prop_assert!(!safe.contains(['/', '\\', '\0']) && !safe.starts_with('.'));
            prop_assert_eq!(std::path::Path::new(&safe).components().count(), 1);
            prop_assert_eq!(safe_file_name(&safe), safe, "safe names stay as they are");
        }
    }
}
