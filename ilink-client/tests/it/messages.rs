//! What a batch may hold: recorded messages survive a round trip, and an odd one costs its neighbours nothing.

use ilink_client::wire::{ItemKind, WeixinMessage};
use ilink_client::{Update, UpdateBatch};
use ilink_fixtures::wire;
use serde_json::Value;

use crate::script::{Play, Script};

async fn poll(body: String) -> UpdateBatch {
    Script::new([Play::ok(body)]).bot().get_updates("old").await.unwrap()
}

fn round_trip(name: &str, json: &Value) {
    let message: WeixinMessage = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&message).unwrap(), json, "{name}");
}

#[test]
fn every_recorded_message_survives_a_round_trip() {
    let mut count = 0;
    let single = wire::all().map(|(name, exchange)| (name, vec![exchange]));
    let flows = wire::scenarios().map(|(name, scenario)| (name, scenario.exchanges));
    for (name, exchanges) in single.chain(flows) {
        for exchange in exchanges {
            if let Some(message) = exchange.request.json.as_ref().and_then(|json| json.get("msg")) {
                round_trip(name, message);
                count += 1;
            }
            let answer: Value = serde_json::from_str(exchange.answer()).unwrap_or_default();
            for message in answer["msgs"].as_array().into_iter().flatten() {
                round_trip(name, message);
                count += 1;
            }
        }
    }
    assert!(count > 80, "only {count} messages are recorded");
}

#[tokio::test]
async fn every_recorded_batch_is_read() {
    let mut seen = Vec::new();
    for (name, exchange) in wire::all().filter(|(name, _)| name.starts_with("getupdates/")) {
        let Some(response) = &exchange.response else { continue };
        let script = Script::new([Play::Answer(response.status, exchange.answer().to_owned())]);
        let outcome = match script.bot().get_updates("old").await {
            Ok(batch) => {
                let messages: Vec<_> =
                    batch.messages.iter().map(|update| format!("{:?}", update.message().unwrap())).collect();
                format!("{messages:#?} {:?}", batch.next_poll)
            }
            Err(error) => error.to_string(),
        };
        seen.push(format!("{name}: {outcome}"));
    }
    insta::assert_snapshot!(seen.join("\n"));
}

/// Shapes that were seen, reported or feared; `x` stands for the odd message of a batch.
const ODD: &[(&str, &str)] = &[
    ("null", "null"),
    ("a number", "7"),
    ("a string", "\"hello\""),
    ("a bool", "true"),
    ("a list", "[1,[2]]"),
    ("an empty object", "{}"),
    ("ids as strings", r#"{"message_id":"18446744073709551615","seq":"3","from_user_id":"u"}"#),
    ("a negative id", r#"{"message_id":-1,"from_user_id":"u"}"#),
    ("an id beyond 64 bits", r#"{"message_id":99999999999999999999999,"from_user_id":"u"}"#),
    ("an id as a double", r#"{"message_id":7.441535359615656e18,"from_user_id":"u"}"#),
    ("an id as an object", r#"{"message_id":{"low":1,"high":2},"from_user_id":"u"}"#),
    ("numbers as user ids", r#"{"from_user_id":12,"to_user_id":34}"#),
    ("null everywhere", r#"{"message_id":null,"from_user_id":null,"item_list":null,"context_token":null}"#),
    ("items as an object", r#"{"from_user_id":"u","item_list":{"type":1}}"#),
    ("items as a string", r#"{"from_user_id":"u","item_list":"[]"}"#),
    (
        "odd items among good ones",
        r#"{"from_user_id":"u","item_list":[null,7,"x",[],{},{"type":1,"text_item":{"text":"good"}}]}"#,
    ),
    ("a type as a string", r#"{"from_user_id":"u","item_list":[{"type":"1","text_item":{"text":"good"}}]}"#),
    ("a type as a word", r#"{"from_user_id":"u","item_list":[{"type":"text","text_item":{"text":"good"}}]}"#),
    ("an unknown type", r#"{"from_user_id":"u","item_list":[{"type":99,"card_item":{"a":[1,{"b":2}]}}]}"#),
    ("a huge type", r#"{"from_user_id":"u","item_list":[{"type":9223372036854775807}]}"#),
    ("a type without its field", r#"{"from_user_id":"u","item_list":[{"type":2}]}"#),
    ("text that is a number", r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":5}}]}"#),
    (
        "text that is an object",
        r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":{"a":1}}}]}"#,
    ),
    ("a text item that is a string", r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":"good"}]}"#),
    (
        "half a surrogate pair",
        r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":"good \ud83d"}}]}"#,
    ),
    (
        "a repeated key",
        r#"{"from_user_id":"u","from_user_id":"u","item_list":[{"type":1,"text_item":{"text":"good"}}]}"#,
    ),
    ("unknown states", r#"{"from_user_id":"u","message_state":42,"message_type":"7"}"#),
    ("a time as a string", r#"{"from_user_id":"u","create_time_ms":"1777361351639"}"#),
    ("a time as a date", r#"{"from_user_id":"u","create_time_ms":"2026-05-01"}"#),
    ("a number beyond a double", r#"{"from_user_id":"u","extra":1e999}"#),
    (
        "a deep nest",
        r#"{"from_user_id":"u","ref":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#,
    ),
    (
        "a quote of a quote",
        r#"{"from_user_id":"u","item_list":[{"type":1,"ref_msg":{"message_item":{"ref_msg":{"message_item":7}}}}]}"#,
    ),
    (
        "a quote that is a string",
        r#"{"from_user_id":"u","item_list":[{"type":1,"text_item":{"text":"good"},"ref_msg":"x"}]}"#,
    ),
    (
        "media that is null",
        r#"{"from_user_id":"u","item_list":[{"type":2,"image_item":{"media":null,"mid_size":"12"}}]}"#,
    ),
    (
        "len as a number",
        r#"{"from_user_id":"u","item_list":[{"type":4,"file_item":{"len":125,"file_name":7}}]}"#,
    ),
    ("a key with an escape", r#"{"from_user_id":"u","a\u0000b\"c":1}"#),
];

#[tokio::test]
async fn an_odd_message_costs_its_neighbours_nothing() {
    let good = |id: u64| {
        format!(
            r#"{{"message_id":{id},"from_user_id":"u@im.wechat","item_list":[{{"type":1,"text_item":{{"text":"good {id}"}}}}]}}"#
        )
    };
    let mut seen = Vec::new();
    for (name, odd) in ODD {
        let body = format!(
            r#"{{"ret":0,"msgs":[{},{odd},{}],"get_updates_buf":"new","longpolling_timeout_ms":35000}}"#,
            good(7_441_535_359_615_655_688),
            good(7_441_535_359_615_655_689)
        );
        let batch = poll(body).await;
        let [first, middle, last] = &batch.messages[..] else {
            panic!("{name}: {} messages", batch.messages.len())
        };
        for (update, id) in [(first, 7_441_535_359_615_655_688), (last, 7_441_535_359_615_655_689_u64)] {
            let message = update.message().unwrap();
            assert_eq!(message.message_id.unwrap().0, id, "{name}");
            assert_eq!(message.text().unwrap(), format!("good {id}"), "{name}");
        }
        assert_eq!(middle.raw().as_str(), *odd, "the raw JSON is kept");
        assert_eq!(batch.cursor.as_str(), "new", "{name}");
        let what = match middle {
            Update::Unknown(_) => "unknown".to_owned(),
            Update::Message(received) => {
                let message = &received.message;
                let kinds: Vec<_> = message.items().iter().map(|item| format!("{:?}", item.kind())).collect();
                format!(
                    "id {:?}, from {:?}, text {:?}, {}",
                    message.message_id,
                    message.from_user_id,
                    message.text(),
                    kinds.join(", ")
                )
            }
        };
        seen.push(format!("{name}: {what}"));
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[tokio::test]
async fn odd_batches_are_read_too() {
    let message = r#"{"message_id":5,"item_list":[{"type":1,"text_item":{"text":"hi"}}]}"#;
    for (body, messages, cursor) in [
        (String::new(), 0, "old"),
        ("{}".to_owned(), 0, "old"),
        (r#"{"ret":0,"msgs":null,"get_updates_buf":""}"#.to_owned(), 0, "old"),
        (r#"{"ret":"0","errcode":null,"msgs":[],"get_updates_buf":17}"#.to_owned(), 0, "17"),
        (format!(r#"{{"msgs":{message},"get_updates_buf":"new"}}"#), 1, "new"),
        (format!(r#"{{"msgs":[{message}],"msgs":[{message},{message}],"get_updates_buf":"new"}}"#), 2, "new"),
        (format!("\u{feff} {{\"msgs\":[{message}],\"get_updates_buf\":\"new\"}}\n"), 1, "new"),
    ] {
        let batch = poll(body.clone()).await;
        assert_eq!((batch.messages.len(), batch.cursor.as_str()), (messages, cursor), "{body}");
    }
}

#[tokio::test]
async fn a_batch_that_is_nearly_json_does_not_come_again_for_ever() {
    for odd in [
        "{\"text\":\"a raw\nline feed\"}",
        r#"{"n":NaN}"#,
        r#"{"n":[Infinity,-Infinity]}"#,
        r#"{"n":undefined}"#,
        r#"{"text":"C:\users"}"#,
        r#"{"text":"\x41"}"#,
    ] {
        let good = r#"{"message_id":7441535359615655688,"item_list":[{"type":1,"text_item":{"text":"good \ud83d\ude00"}}]}"#;
        let batch =
            poll(format!(r#"{{"ret":0,"msgs":[{good},{odd},{good}],"get_updates_buf":"new"}}"#)).await;
        assert_eq!((batch.messages.len(), batch.cursor.as_str()), (3, "new"), "{odd}");
        for update in [&batch.messages[0], &batch.messages[2]] {
            let message = update.message().unwrap();
            assert_eq!(message.message_id.unwrap().0, 7_441_535_359_615_655_688, "{odd}");
            assert_eq!(message.text().unwrap(), "good 😀", "{odd}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_cost_a_character() {
    let mut body = br#"{"msgs":[{"message_id":5,"item_list":[{"type":1,"text_item":{"text":"a"#.to_vec();
    body.extend_from_slice(b"\xff\xfe");
    body.extend_from_slice(br#"b"}}]}],"get_updates_buf":"new"}"#);
    let server = wiremock::MockServer::start().await;
    let answer = wiremock::ResponseTemplate::new(200).set_body_bytes(body);
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    let client = ilink_client::Client::builder().base_url(server.uri()).build().unwrap();
    let bot = client.bot(ilink_client::Credentials::new("b@im.bot", "token")).unwrap();
    let batch = bot.get_updates("old").await.unwrap();
    assert_eq!(batch.messages[0].message().unwrap().text().unwrap(), "a\u{fffd}\u{fffd}b");
}

#[test]
fn a_message_from_a_journal_is_read_again() {
    let update = Update::from_json(r#"{"message_id":5,"item_list":[{"type":1,"text_item":{"text":"hi"}}]}"#);
    let item = &update.message().unwrap().items()[0];
    assert!(matches!(item.kind(), ItemKind::Text(text) if text.text.as_deref() == Some("hi")));
}
