//! Markdown as readable text without its signs.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Lists within lists are indented up to this depth, which is more than fits on a phone: their number is the writer's.
const DEEPEST: usize = 16;

/// Headings and emphasis bare, links and images as `text (url)`, code kept, a table's row as a line, blocks apart.
pub(super) fn plain(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Writer::default();
    for event in Parser::new_ext(text, options) {
        writer.event(event);
    }
    writer.out.truncate(writer.out.trim_end().len());
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The number of the next item, for each list that is open; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// Where each open link goes, and where its text begins in `out`.
    links: Vec<(String, usize)>,
    /// True at the beginning of a table's row.
    first_cell: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) | Event::Html(text) => {
                self.text(&text);
            }
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            Event::Rule => {
                self.block();
                self.out.push_str("———");
            }
            Event::TaskListMarker(done) => self.out.push_str(if done { "☑ " } else { "☐ " }),
            // Extensions that are not switched on.
            Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::Table(_) | Tag::HtmlBlock | Tag::CodeBlock(_) => {
                self.block();
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block();
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::TableHead | Tag::TableRow => {
                self.line();
                self.first_cell = true;
            }
            Tag::TableCell if std::mem::take(&mut self.first_cell) => {}
            Tag::TableCell => self.out.push_str(" | "),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.out.len()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                let Some((url, from)) = self.links.pop() else { return };
                let text = &self.out[from..];
                // `<https://…>`, `<a@b.c>` and `[](url)`.
                if text.is_empty() {
                    self.out.push_str(&url);
                } else if !url.is_empty() && url.strip_prefix("mailto:").unwrap_or(&url) != text {
                    self.out.extend([" (", &url, ")"]);
                }
            }
            _ => {}
        }
    }

    /// A text, of which every line stands where its list does.
    fn text(&mut self, text: &str) {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.out.push('\n');
            }
            if !line.is_empty() && self.out.ends_with('\n') {
                self.out.push_str(&self.indent());
            }
            self.out.push_str(line);
        }
    }

    fn item(&mut self) {
        self.line();
        let depth = self.lists.len().saturating_sub(1);
        self.out.push_str(&"  ".repeat(depth.min(DEEPEST)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.extend([&number.to_string(), ". "]);
                *number += 1;
            }
            _ => self.out.push_str("• "),
        }
    }

    /// What follows stands on a line of its own.
    fn line(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// What follows stands apart, except as an item's first.
    fn block(&mut self) {
        let begins_item = ["• ", ". ", "☑ ", "☐ "].iter().any(|sign| self.out.ends_with(sign));
        if begins_item && !self.lists.is_empty() {
            return;
        }
        self.out.truncate(self.out.trim_end_matches([' ', '\n']).len());
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
        self.out.push_str(&self.indent());
    }

    fn indent(&self) -> String {
        "  ".repeat(self.lists.len().min(DEEPEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_without_signs() {
        let text = "# 标题\n\n**粗** *斜* ~~删~~ `a*b`\n第二行 [文档](https://example.com/a) <https://example.com>\n\n\
                    > 引用\n\n- 一\n- 二\n  3. 三\n  4. 四\n\n    段\n- [x] 完\n\n| 名 | 数 |\n|---|--:|\n| a | 1 |\n| b | **2** |\n\n\
                    ---\n\n```rust\nfn a() {\n\n    b(*c);\n}\n```\n![图](https://example.com/x.png) snake_case 2 * 3\n";
        let expected = "标题\n\n粗 斜 删 a*b\n第二行 文档 (https://example.com/a) https://example.com\n\n引用\n\n\
                        • 一\n• 二\n  3. 三\n  4. 四\n\n  段\n• ☑ 完\n\n名 | 数\na | 1\nb | 2\n\n———\n\n\
                        fn a() {\n\n    b(*c);\n}\n\n图 (https://example.com/x.png) snake_case 2 * 3";
        assert_eq!(plain(text), expected);
    }

    #[test]
    fn what_is_no_markdown_stays() {
        for text in ["", "你好", "a < b && c > d", "两行\n文字", "1 + 1 = 2", "<b>x</b>"] {
            assert_eq!(plain(text), text);
        }
    }

    proptest::proptest! {
        /// No text is too odd, and every word survives.
        #[test]
        fn words_survive(pieces in proptest::collection::vec("[-*_`#>|\\[\\]()! \n1.字]{0,6}|w[0-9]{3}", 0..40)) {
            let text = pieces.concat();
            let out = plain(&text);
            let words = |text: &str| text.matches('w').count();
            // A code block's info string and the target of a reference are the only words that are not shown.
            if !text.contains("```") && !text.contains(':') {
                proptest::prop_assert_eq!(words(&out), words(&text), "{:?}", out);
            }
        }
    }

    /// Each level would be indented by two more: 100 KB of these were 5 GB.
    #[test]
    fn lists_in_lists_do_not_fill_the_memory() {
        for text in ["- ".repeat(5_000), "1. ".repeat(5_000), "> - ".repeat(5_000) + "a\n\nb"] {
            let plain = plain(&text);
            assert!(plain.len() < 64 * text.len(), "{} bytes of {}", plain.len(), text.len());
        }
    }

    #[test]
    fn code_in_a_list_keeps_its_shape() {
        assert_eq!(plain("- a\n\n  ```\n  x\n    y\n  ```\n- b"), "• a\n\n  x\n    y\n• b");
    }
}
