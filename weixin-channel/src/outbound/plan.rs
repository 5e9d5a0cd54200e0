//! A reply cut into sends: one item each (protocol §5).

use ilink_client::wire::MessageItem;

use super::policy::SendPolicy;
use super::reply::{Attachment, Part, Reply};
use crate::error::Error;
use crate::markdown::render;
use crate::split::split;

/// One send, or what becomes one once it is uploaded.
#[derive(Debug)]
pub(crate) enum Step {
    Item(Box<MessageItem>),
    Media(Attachment),
}

impl Step {
    /// Its size, in bytes of text.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Item(item) => item.text().map_or(0, str::len) as u64,
            Self::Media(_) => 0,
        }
    }
}

/// The sends of a reply, in order.
pub(crate) fn plan(reply: Reply, policy: &SendPolicy) -> Result<Vec<Step>, Error> {
    let mode = reply.markdown.unwrap_or(policy.markdown);
    let mut quote = reply.quote.map(Box::new);
    let mut steps = Vec::new();
    for part in reply.parts {
        match part {
            Part::Text(text) if text.trim().is_empty() => {}
            Part::Text(text) => {
                let rendered = render(&text, mode);
                // Better raw than not at all: a picture's Markdown, filtered, is nothing.
                let shown = if rendered.trim().is_empty() { text.as_str() } else { &rendered };
                for piece in split(shown, &policy.split) {
                    let mut item = MessageItem::from_text(piece);
                    item.ref_msg = quote.take();
                    steps.push(Step::Item(Box::new(item)));
                }
            }
            Part::Media(media) => steps.push(Step::Media(media)),
            Part::Progress(item) => steps.push(Step::Item(item)),
        }
    }
    if steps.is_empty() {
        return Err(Error::EmptyReply);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::Mode;

    fn texts(reply: Reply) -> Vec<String> {
        let steps = plan(reply, &SendPolicy::default()).unwrap();
        steps
            .into_iter()
            .map(|step| match step {
                Step::Item(item) => item.text().unwrap_or("an item").to_owned(),
                Step::Media(_) => "media".to_owned(),
            })
            .collect()
    }

    #[test]
    fn captions_before_media_in_order() {
        let media = || weixin_media::Source::bytes(b"x".to_vec());
        let reply = Reply::text("one").and_media(media()).and_text(" ").and_text("two").and_media(media());
        assert_eq!(texts(reply), ["one", "media", "two", "media"]);
    }

    #[test]
    fn note_26_markdown_is_sent_as_it_is_unless_asked_otherwise() {
        let text = "**bold** [a](https://b.example)";
        assert_eq!(texts(Reply::text(text)), [text]);
        assert_eq!(texts(Reply::text(text).markdown(Mode::Plain)), ["bold a (https://b.example)"]);
        assert_eq!(texts(Reply::text("![a](b)").markdown(Mode::Filtered)), ["![a](b)"]);
    }

    #[test]
    fn an_empty_reply_is_an_error() {
        assert_eq!(plan(Reply::text(" \n"), &SendPolicy::default()).unwrap_err().code(), "invalid-input");
    }
}
