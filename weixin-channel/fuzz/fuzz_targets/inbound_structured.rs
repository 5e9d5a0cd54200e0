//! Messages that are nearly right.

#![no_main]

mod check;
mod common;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

use common::Choices;

const MESSAGE: Choices = Choices {
    fields: &[
        "item_list", "text_item", "text", "type", "from_user_id", "message_id", "client_id", "seq",
        "create_time_ms", "message_type", "context_token", "msg_id", "ref_msg", "message_item", "title", "svr_id",
        "partial_text", "start", "end", "startindex", "endindex", "quotemd5", "image_item", "voice_item",
        "file_item", "video_item", "tool_call_start_item", "tool_call_result_item", "media", "thumb_media",
        "aeskey", "aes_key", "encrypt_query_param", "full_url", "file_name", "len", "playtime", "unknown", "",
    ],
    words: &[
        "", "0", "1", "7441535359615655688", "o9cq80Owner0001@im.wechat", "b0f5860fdecb@im.bot", "/stop", "停止",
        "你好", "😀", "\\n", "\\u0000", "\\ud83d", "a", "[图片]",
        "https://novac2c.cdn.weixin.qq.com/c2c/download?x=1", "MDEyMzQ1Njc4OWFiY2RlZg==",
    ],
    values: &[
        "null", "true", "false", "0", "1", "2", "3", "4", "5", "11", "12", "-1", "1.5", "1795366400000",
        "18446744073709551615", "-9223372036854775808", "9223372036854775807", "1e300", "{}", "[]", "[{}]",
    ],
};

fuzz_target!(|input: &[u8]| check::check(&MESSAGE.object(&mut Unstructured::new(input))));
