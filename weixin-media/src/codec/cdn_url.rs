//! Where media is fetched from and put to (docs/protocol.md §1, §6).

use ilink_client::UploadTarget;
use ilink_client::wire::CdnMedia;
use url::Url;

/// The CDN's base URL ([protocol §1]).
///
/// [protocol §1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#1-hosts
pub const DEFAULT_CDN_URL: &str = "https://novac2c.cdn.weixin.qq.com/c2c";

/// Where to get it: `full_url` as it is, else built from the parameter. `None` if the message names neither.
#[must_use]
pub fn download_url(base: &Url, media: &CdnMedia) -> Option<Url> {
    if let Some(url) = given(media.full_url.as_deref()) {
        return Url::parse(url).ok();
    }
    let param = given(media.encrypt_query_param.as_deref())?;
    Some(with_query(base, "download", &[("encrypted_query_param", param)]))
}

/// Where to put it: `upload_full_url` as it is, else built from the parameter. `None` if there is neither.
#[must_use]
pub fn upload_url(base: &Url, target: &UploadTarget, file_key: &str) -> Option<Url> {
    if let Some(url) = given(target.full_url.as_deref()) {
        return Url::parse(url).ok();
    }
    let param = given(target.param.as_deref())?;
    Some(with_query(base, "upload", &[("encrypted_query_param", param), ("filekey", file_key)]))
}

/// Where to put the thumbnail.
#[must_use]
pub fn thumbnail_upload_url(base: &Url, target: &UploadTarget, file_key: &str) -> Option<Url> {
    let param = given(target.thumb_param.as_deref())?;
    Some(with_query(base, "upload", &[("encrypted_query_param", param), ("filekey", file_key)]))
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The pairs are percent-encoded: parameters are base64 and hold `+`, `/` and `=`.
fn with_query(base: &Url, last: &str, pairs: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{last}", base.path().trim_end_matches('/')));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_full_urls_are_not_touched() {
        let base = Url::parse(DEFAULT_CDN_URL).unwrap();
        let mut media = CdnMedia { encrypt_query_param: Some("a+/=".into()), ..CdnMedia::default() };
        let url = |media: &CdnMedia| download_url(&base, media).map(String::from);
        assert_eq!(
            url(&media).as_deref(),
            Some("https://novac2c.cdn.weixin.qq.com/c2c/download?encrypted_query_param=a%2B%2F%3D")
        );
        media.full_url = Some(String::new());
        assert!(url(&media).is_some(), "an empty full_url counts as none");
        media.full_url = Some("https://x.wechat.com/y?z=%2b+".into());
        assert_eq!(url(&media), media.full_url);
        assert_eq!(url(&CdnMedia::default()), None);
    }
}
