//! What becomes of messages on their way to a handler.

use std::time::Duration;

use crate::backend::Retention;
use crate::inbound::message::Inbound;

/// What inbound messages are handled by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboundPolicy {
    /// The number of messages of an account not yet handled at which its polling pauses; 100,000. They are on disk.
    pub max_pending: usize,
    /// How many of them are held in memory, control messages aside; 1,000. The others are read once there is room.
    pub max_held: usize,
    /// How many of one user; 50. Whoever writes more waits for their own messages to be handled, and nobody else does.
    pub max_held_per_peer: usize,
    /// The most handlers of one account at once, control messages aside; 64.
    pub max_in_flight: usize,
    /// A message that was tried so often becomes a dead letter; 5. An attempt counts if its handler fails, and if the
    /// process dies; not if the account or the program is stopped.
    pub max_attempts: u32,
    /// The pause before a failed message is tried again, doubled each time up to an hour; 2 s.
    pub retry_delay: Duration,
    /// The first words of messages that do not wait for their user's turn, compared without regard to case; `/stop`,
    /// `/approve`, `停止` ([field note 8]).
    ///
    /// [field note 8]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-8
    pub control: Vec<String>,
    /// When media is fetched.
    pub media: MediaPolicy,
    /// How many pieces of media of one message are fetched; 20. The others are told in its text.
    pub max_media: usize,
    /// How many bytes of media of one message are fetched, all pieces together; 256 MiB.
    pub max_media_bytes: u64,
    /// A larger voice message is kept as the file that it is; smaller ones become WAV. 1 MiB: a minute is less than
    /// 200 KiB, and decoding takes a second for some 10 KiB.
    pub max_voice_bytes: u64,
    /// How long what is settled stays in the journal.
    pub retention: Retention,
}

/// When the media of a message is fetched. Never before its sender is authorised ([field note 27]).
///
/// [field note 27]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-27
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaPolicy {
    /// When the handler asks for it.
    #[default]
    Lazy,
    /// Before the handler is given the message. Media that cannot be had does not hold up its message: the text says
    /// so in its place.
    Eager {
        /// Larger media is not fetched; bytes.
        max_size: u64,
    },
}

impl Default for InboundPolicy {
    fn default() -> Self {
        Self {
            max_pending: 100_000,
            max_held: 1_000,
            max_held_per_peer: 50,
            max_in_flight: 64,
            max_attempts: 5,
            retry_delay: Duration::from_secs(2),
            control: ["/stop", "/approve", "停止"].map(str::to_owned).to_vec(),
            media: MediaPolicy::default(),
            max_media: 20,
            max_media_bytes: 256 << 20,
            max_voice_bytes: 1 << 20,
            retention: Retention::default(),
        }
    }
}

/// The first words of messages that do not wait, in lower case.
#[derive(Clone, Debug)]
pub(crate) struct ControlWords(Vec<String>);

impl ControlWords {
    pub(crate) fn new(policy: &InboundPolicy) -> Self {
        let words = policy.control.iter().map(|word| word.trim().to_lowercase());
        Self(words.filter(|word| !word.is_empty()).collect())
    }

    /// True for a message that does not wait for its user's turn.
    pub(crate) fn begin(&self, raw: &str) -> bool {
        // Most messages hold none of the words; they are not parsed for it. JSON may spell them otherwise. Lower case
        // costs 3 µs per KiB; looking for the words in the message as it came took longer.
        let lower = raw.to_lowercase();
        let may = raw.contains("\\u") || self.0.iter().any(|word| lower.contains(word));
        may && Inbound::from_json(raw).is_some_and(|inbound| {
            let first = inbound.text.split_whitespace().next().unwrap_or_default().to_lowercase();
            self.0.contains(&first)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_8_the_control_lane() {
        let mut policy = InboundPolicy::default();
        policy.control.push(String::new());
        let words = ControlWords::new(&policy);
        let control = |text: &str| {
            let text = serde_json::to_string(text).unwrap();
            words.begin(&format!(
                r#"{{"from_user_id":"u","item_list":[{{"type":1,"text_item":{{"text":{text}}}}}]}}"#
            ))
        };
        for text in ["/stop", " /STOP now", "停止", "/approve ab12 allow-once"] {
            assert!(control(text), "{text}");
        }
        for text in ["please /stop", "/stopping", "停止吧", "hello", ""] {
            assert!(!control(text), "{text}");
        }
        let escaped = r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":"\u505c\u6b62"}}]}"#;
        assert!(words.begin(escaped));
        policy.control = vec!["Halt".to_owned()];
        let german = r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":"HALT, bitte"}}]}"#;
        assert!(!ControlWords::new(&policy).begin(german), "another word");
        assert!(ControlWords::new(&policy).begin(&german.replace("HALT,", "HALT")));
        policy.control = vec!["СТОП".to_owned()];
        let russian = r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":"Стоп!"}}]}"#;
        assert!(!ControlWords::new(&policy).begin(russian), "another word");
        assert!(ControlWords::new(&policy).begin(&russian.replace('!', " ")));
    }
}
