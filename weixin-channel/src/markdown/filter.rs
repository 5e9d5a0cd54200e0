//! The official plugin's reduction of Markdown, one character at a time: what comes out cannot depend on how the text
//! was cut (protocol §7, last paragraph; the official filter's output does).

/// Reduces a text as it streams in. The output of all calls together is what the official filter makes of the whole
/// text, however it was cut.
///
/// An emphasis or an image that is never closed is held back until [`finish`](Self::finish): only the end of the text
/// tells that its signs stay.
///
/// ```
/// use weixin_channel::markdown::Filter;
/// let mut filter = Filter::default();
/// assert_eq!(filter.push("see *重"), "see ");
/// assert_eq!(filter.push("点* *"), "重点 ");
/// assert_eq!(filter.finish(), "*");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    state: State,
    out: String,
}

/// What the characters before have begun.
#[derive(Clone, Debug, Default)]
enum State {
    /// A line, of which there is nothing yet.
    #[default]
    LineStart,
    /// A line that begins with this number of backticks: 1 or 2.
    Ticks(u8),
    /// A line that begins with this number of `#`.
    Hashes(usize),
    /// A line of nothing but one sign and spaces so far: a rule, or not.
    Rule(Mark, String),
    /// A line that begins with three backticks; after it code begins, or ends.
    FenceLine { opens: bool },
    /// Code, on whose line there is this number of backticks and nothing else; `None` after anything else.
    Code(Option<u8>),
    /// Within a line.
    Body,
    /// After a `!`.
    Bang,
    /// After one or two of a sign.
    Run(Mark, u8),
    /// Between one sign and the next, on one line. The flag: a sign has just come, and would be the end unless a
    /// second follows.
    Single(Mark, String, bool),
    /// Between three signs and the next three.
    Triple(Mark, String),
    /// After `![`.
    Image(String, Image),
}

/// The two signs of emphasis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Star,
    Underscore,
}

/// Which part of an image is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Image {
    Alt,
    AfterAlt,
    Url,
}

impl Mark {
    fn of(c: char) -> Option<Self> {
        match c {
            '*' => Some(Self::Star),
            '_' => Some(Self::Underscore),
            _ => None,
        }
    }

    fn three(self) -> &'static str {
        match self {
            Self::Star => "***",
            Self::Underscore => "___",
        }
    }

    fn times(self, n: u8) -> &'static str {
        &self.three()[..usize::from(n)]
    }
}

impl Filter {
    /// Takes the next part of the text and returns what is certain of the output.
    pub fn push(&mut self, text: &str) -> String {
        for c in text.chars() {
            self.take(c);
        }
        std::mem::take(&mut self.out)
    }

    /// Ends the text and returns the rest of the output. The filter can then be used for another text.
    pub fn finish(&mut self) -> String {
        match std::mem::take(&mut self.state) {
            State::Rule(mark, text) if !is_rule(mark, &text) => {
                self.again(&text);
                return self.finish();
            }
            State::Rule(_, text) => self.out.push_str(&text),
            State::Ticks(n) => self.backticks(n),
            State::Hashes(n) => self.hashes(n),
            State::Bang => self.out.push('!'),
            State::Run(mark, n) => self.out.push_str(mark.times(n)),
            State::Single(mark, text, true) => self.emphasis(mark.times(1), &text),
            State::Single(mark, text, false) => self.emit([mark.times(1), &text]),
            State::Triple(mark, text) => self.emit([mark.three(), &text]),
            State::Image(text, _) => self.emit(["![", &text]),
            State::LineStart | State::FenceLine { .. } | State::Code(_) | State::Body => {}
        }
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, c: char) {
        match std::mem::replace(&mut self.state, State::Body) {
            State::LineStart => self.line_start(c),
            State::Ticks(2) if c == '`' => {
                self.out.push_str("```");
                self.state = State::FenceLine { opens: true };
            }
            State::Ticks(n) if c == '`' => self.state = State::Ticks(n + 1),
            State::Ticks(n) => {
                self.backticks(n);
                self.body(c);
            }
            State::Hashes(n) if c == '#' => self.state = State::Hashes(n + 1),
            // The signs of small headings are not shown; those of larger ones are left to the phone.
            State::Hashes(5 | 6) if c == ' ' => {}
            State::Hashes(n) => {
                self.hashes(n);
                self.body(c);
            }
            State::Rule(mark, text) => self.rule(mark, text, c),
            State::FenceLine { opens } => {
                self.out.push(c);
                self.state = match (c, opens) {
                    ('\n', true) => State::Code(Some(0)),
                    ('\n', false) => State::LineStart,
                    _ => State::FenceLine { opens },
                };
            }
            State::Code(ticks) => {
                self.out.push(c);
                self.state = match (c, ticks) {
                    ('\n', _) => State::Code(Some(0)),
                    ('`', Some(2)) => State::FenceLine { opens: false },
                    ('`', Some(n)) => State::Code(Some(n + 1)),
                    _ => State::Code(None),
                };
            }
            State::Body => self.body(c),
            State::Bang if c == '[' => self.state = State::Image(String::new(), Image::Alt),
            State::Bang => {
                self.out.push('!');
                self.body(c);
            }
            State::Run(mark, n) => self.run(mark, n, c),
            State::Single(mark, text, ended) => self.single(mark, text, ended, c),
            State::Triple(mark, text) => self.triple(mark, text, c),
            State::Image(text, part) => self.image(text, part, c),
        }
    }

    fn line_start(&mut self, c: char) {
        match (c, Mark::of(c)) {
            ('\n', _) => self.body(c),
            ('`', _) => self.state = State::Ticks(1),
            ('#', _) => self.state = State::Hashes(1),
            (_, Some(mark)) => self.state = State::Rule(mark, c.to_string()),
            _ => self.body(c),
        }
    }

    fn body(&mut self, c: char) {
        match (c, Mark::of(c)) {
            ('!', _) => self.state = State::Bang,
            (_, Some(mark)) => self.state = State::Run(mark, 1),
            _ => {
                self.out.push(c);
                self.state = if c == '\n' { State::LineStart } else { State::Body };
            }
        }
    }

    fn rule(&mut self, mark: Mark, mut text: String, c: char) {
        if c == ' ' || Mark::of(c) == Some(mark) {
            text.push(c);
            self.state = State::Rule(mark, text);
        } else if c == '\n' && is_rule(mark, &text) {
            self.out.push_str(&text);
            self.body(c);
        } else {
            self.again(&text);
            self.take(c);
        }
    }

    /// Reads what looked like a rule as the beginning of any line.
    fn again(&mut self, text: &str) {
        self.state = State::Body;
        for c in text.chars() {
            self.take(c);
        }
    }

    fn run(&mut self, mark: Mark, n: u8, c: char) {
        match (n, Mark::of(c) == Some(mark)) {
            (1, true) => self.state = State::Run(mark, 2),
            (_, true) => self.state = State::Triple(mark, String::new()),
            // Two signs are bold, which phones show; one before a space is just a sign.
            (n, false) if n == 2 || c == ' ' || c == '\n' => {
                self.out.push_str(mark.times(n));
                self.body(c);
            }
            _ => self.state = State::Single(mark, c.to_string(), false),
        }
    }

    fn single(&mut self, mark: Mark, mut text: String, ended: bool, c: char) {
        match (ended, Mark::of(c) == Some(mark)) {
            (false, true) => self.state = State::Single(mark, text, true),
            (true, true) => {
                text.push_str(mark.times(2));
                self.state = State::Single(mark, text, false);
            }
            (true, false) => {
                self.emphasis(mark.times(1), &text);
                self.body(c);
            }
            (false, false) if c == '\n' => {
                self.emit([mark.times(1), &text]);
                self.body(c);
            }
            (false, false) => {
                text.push(c);
                self.state = State::Single(mark, text, false);
            }
        }
    }

    fn triple(&mut self, mark: Mark, mut text: String, c: char) {
        text.push(c);
        if let Some(inner) = text.strip_suffix(mark.three()) {
            self.emphasis(mark.three(), inner);
        } else {
            self.state = State::Triple(mark, text);
        }
    }

    fn image(&mut self, mut text: String, part: Image, c: char) {
        let next = match (part, c) {
            (Image::Url, ')') => return,
            (Image::AfterAlt, '(') => Image::Url,
            (Image::AfterAlt, _) => {
                self.emit(["![", &text]);
                self.body(c);
                return;
            }
            (Image::Alt, ']') => Image::AfterAlt,
            (part, _) => part,
        };
        text.push(c);
        self.state = State::Image(text, next);
    }

    /// Emphasis loses its signs around Chinese, Japanese and Korean, where phones do not show it.
    fn emphasis(&mut self, signs: &str, text: &str) {
        if text.contains(is_cjk) {
            self.out.push_str(text);
        } else {
            self.emit([signs, text, signs]);
        }
    }

    fn emit<const N: usize>(&mut self, parts: [&str; N]) {
        self.out.extend(parts);
    }

    fn backticks(&mut self, n: u8) {
        self.out.extend(std::iter::repeat_n('`', usize::from(n)));
    }

    fn hashes(&mut self, n: usize) {
        self.out.extend(std::iter::repeat_n('#', n));
    }
}

/// Three signs or more make a rule.
fn is_rule(mark: Mark, text: &str) -> bool {
    text.chars().filter(|&c| Mark::of(c) == Some(mark)).count() >= 3
}

/// The ranges of protocol §7.
fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> String {
        let mut filter = Filter::default();
        filter.push(text) + &filter.finish()
    }

    #[test]
    fn what_stays_and_what_goes() {
        for (text, expected) in [
            ("", ""),
            ("**粗** ~~x~~ `c` [a](b)", "**粗** ~~x~~ `c` [a](b)"),
            ("*斜*和_斜_和***斜***和___斜___", "斜和斜和斜和斜"),
            ("*it* _it_ ***it*** ___it___", "*it* _it_ ***it*** ___it___"),
            ("#### 四\n##### 五\n###### 六\n####### 七", "#### 四\n五\n六\n####### 七"),
            ("a![图](https://example.com/x.png)b", "ab"),
            ("![图] (x)", "![图] (x)"),
            ("***\n* * *\n___\n---", "***\n* * *\n___\n---"),
            ("```\n*斜*\n```\n*斜*", "```\n*斜*\n```\n斜"),
            ("*斜**斜*", "斜**斜"),
            ("*never 关", "*never 关"),
            ("*ends 行\n*斜*", "*ends 行\n斜"),
            ("***never 关\n##### x", "***never 关\n##### x"),
            ("![never\n*斜*", "![never\n*斜*"),
            ("5 * 3 * 字", "5 * 3 * 字"),
            ("``x `y", "``x `y"),
        ] {
            assert_eq!(whole(text), expected, "{text:?}");
        }
    }

    /// A hundred texts with what the official filter 2.4.9 makes of them; `cargo xtask bench markdown --goldens FILE`
    /// writes them, and compares many more.
    #[test]
    fn goldens_of_the_official_filter() {
        let json = include_str!("../../tests/golden/markdown-filtered.json");
        let goldens: Vec<(String, String)> = serde_json::from_str(json).unwrap();
        assert_eq!(goldens.len(), 100);
        for (text, official) in goldens {
            assert_eq!(whole(&text), official, "{text:?}");
        }
    }

    /// Made of what the filter looks at.
    fn texts() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "*", "**", "***", "_", "__", "___", "`", "```", "#", "##### ", "![", "](", "]", ")", "!", "\n",
            " ", "字", "x", "---", "> ", "~~",
        ]);
        prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in texts(), sizes in prop::collection::vec(1..5_usize, 1..8)) {
            let mut filter = Filter::default();
            let mut out = String::new();
            let chars: Vec<char> = text.chars().collect();
            let (mut rest, mut sizes) = (&chars[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (part, tail) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                out.push_str(&filter.push(&part.iter().collect::<String>()));
                rest = tail;
            }
            out.push_str(&filter.finish());
            prop_assert_eq!(out, whole(&text));
        }

        #[test]
        fn only_signs_and_images_are_lost(text in "[^!#*_]{0,60}") {
            prop_assert_eq!(whole(&text), text);
        }

        #[test]
        fn it_can_be_used_again(text in texts()) {
            let mut filter = Filter::default();
            let first = filter.push(&text) + &filter.finish();
            prop_assert_eq!(filter.push(&text) + &filter.finish(), first);
        }
    }
}
