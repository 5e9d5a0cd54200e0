//! Answers to a poll that are nearly right: the fields of the protocol with values that fit or do not, nested and repeated.
//! The fuzzer's bytes choose; what it would take long to find by itself, such as a field's name, is there.
#![no_main]

mod common;

use std::fmt::Write as _;

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// A longer answer is not made.
const LONGEST: usize = 1 << 20;

const FIELDS: &[&str] = &[
    "ret",
    "errcode",
    "errmsg",
    "msgs",
    "get_updates_buf",
    "sync_buf",
    "longpolling_timeout_ms",
    "seq",
    "message_id",
    "from_user_id",
    "to_user_id",
    "client_id",
    "create_time_ms",
    "session_id",
    "group_id",
    "item_list",
    "message_type",
    "message_state",
    "context_token",
    "run_id",
    "type",
    "msg_id",
    "is_completed",
    "ref_msg",
    "text_item",
    "image_item",
    "voice_item",
    "file_item",
    "video_item",
    "tool_call_start_item",
    "tool_call_result_item",
    "message_item",
    "title",
    "svr_id",
    "partial_text",
    "start",
    "end",
    "startindex",
    "endindex",
    "quotemd5",
    "media",
    "thumb_media",
    "aeskey",
    "aes_key",
    "encrypt_query_param",
    "encrypt_type",
    "full_url",
    "text",
    "file_name",
    "md5",
    "len",
    "playtime",
    "encode_type",
    "status",
    "tool_name",
    "tool_call_id",
    "unknown_field",
    "",
];

const WORDS: &[&str] = &[
    "",
    "0",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "7441535359615655688",
    "1e300",
    "true",
    "null",
    "o9cq80Owner0001@im.wechat",
    "b0f5860fdecb@im.bot",
    "你好",
    "😀",
    "\\ud83d",
    "\\ud83d\\ude00",
    "\\u0000",
    "\\u001b[31m",
    "\\r\\n",
    "\\u2028\\u202e",
    "\\x",
    "\\",
    "completed",
    "https://novac2c.cdn.weixin.qq.com/c2c/download?x=1",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-2",
    "-14",
    "11",
    "99",
    "7441535359615655688",
    "18446744073709551615",
    "99999999999999999999",
    "-9223372036854775808",
    "1.5",
    "3.0",
    "7.441535359615656e18",
    "1e999",
    "NaN",
    "-Infinity",
    "00",
    "-",
];

fuzz_target!(|input: &[u8]| {
    let mut answer = String::new();
    // What the bytes do not suffice for is left out: behind their end, every choice would be the first one for ever.
    let _ = object(&mut Unstructured::new(input), &mut answer, 0, Some("msgs"));
    common::check_poll(answer.as_bytes());
});

fn value(u: &mut Unstructured<'_>, out: &mut String, depth: usize) -> Result<()> {
    if out.len() > LONGEST {
        out.push('0');
        return Ok(());
    }
    match u.int_in_range(0..=if depth > 12 { 4 } else { 7_u8 })? {
        0 => out.push_str(u.choose(NUMBERS)?),
        1 => {
            let _ = write!(out, "{}", u.arbitrary::<i64>()?);
        }
        2 => out.push_str(u.choose(&["null", "true", "false", "undefined"])?),
        3 => {
            let _ = write!(out, "\"{}\"", u.choose(WORDS)?);
        }
        4 => {
            let text: &str = u.arbitrary()?;
            out.push_str(&serde_json::to_string(text).unwrap_or_default());
        }
        5 => list(u, out, depth)?,
        6 => repeated(u, out, depth)?,
        _ => object(u, out, depth + 1, None)?,
    }
    Ok(())
}

fn object(u: &mut Unstructured<'_>, out: &mut String, depth: usize, first: Option<&str>) -> Result<()> {
    out.push('{');
    if let Some(name) = first {
        let _ = write!(out, "\"{name}\":");
        list(u, out, depth)?;
    }
    let mut comma = first.is_some();
    while !u.is_empty() && u.ratio(3, 4)? {
        if std::mem::replace(&mut comma, true) {
            out.push(',');
        }
        let _ = write!(out, "\"{}\":", u.choose(FIELDS)?);
        value(u, out, depth)?;
    }
    out.push('}');
    Ok(())
}

fn list(u: &mut Unstructured<'_>, out: &mut String, depth: usize) -> Result<()> {
    out.push('[');
    let mut comma = false;
    while !u.is_empty() && u.ratio(2, 3)? {
        if std::mem::replace(&mut comma, true) {
            out.push(',');
        }
        // Mostly what belongs there.
        if u.ratio(3, 4)? { object(u, out, depth + 1, None)? } else { value(u, out, depth + 1)? }
    }
    out.push(']');
    Ok(())
}

/// One element many times, up to what is refused; or a value in itself.
fn repeated(u: &mut Unstructured<'_>, out: &mut String, depth: usize) -> Result<()> {
    let mut element = String::new();
    value(u, &mut element, depth + 8)?;
    let count = *u.choose(&[1, 2, 127, 128, 129, 4095, 4097, 20_000, 20_001, 400_001])?;
    let count = count.min((LONGEST - out.len().min(LONGEST)) / (element.len() + 2)).max(1);
    if u.arbitrary()? {
        let _ = write!(out, "[{}]", vec![element.as_str(); count].join(","));
    } else {
        let _ = write!(out, "{}{element}{}", "[".repeat(count), "]".repeat(count));
    }
    Ok(())
}
