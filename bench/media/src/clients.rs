//! One upload and one download by each client, from and to where it is made for.

use std::path::{Path, PathBuf};

use ilink_client::wire::CdnMedia;
use ilink_client::{Client, Credentials};
use weixin_media::codec::MediaKind;
use weixin_media::{Media, MediaRef, TransferPolicy};

use crate::KEY;

pub type Failure = Box<dyn std::error::Error>;

const USER: &str = "o9cq80SimOwner0001@im.wechat";

/// Who is measured. `…ToFile` and `…Bytes` are ours with other ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Who {
    Ours,
    OursToFile,
    WeixinAgent,
    IlinkSdk,
    WechatIlink,
    Wechatbot,
}

impl Who {
    pub const ALL: [Self; 6] =
        [Self::Ours, Self::OursToFile, Self::WeixinAgent, Self::IlinkSdk, Self::WechatIlink, Self::Wechatbot];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "weixin-media",
            Self::OursToFile => "weixin-media, to a file",
            Self::WeixinAgent => "weixin-agent 0.3.0",
            Self::IlinkSdk => "ilink-sdk 2.4.11",
            Self::WechatIlink => "wechat-ilink 0.6.0",
            Self::Wechatbot => "wechatbot 0.4.0",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.name() == name)
    }
}

/// A client that is set up; what it keeps is warm after a first transfer.
pub enum Ready {
    Ours { media: Media, to_file: bool },
    WeixinAgent(weixin_agent::WeixinClient),
    IlinkSdk(ilink_sdk::api::WeixinApiClient),
    WechatIlink { client: wechat_ilink::WechatIlinkClient, cdn: wechat_ilink::CdnClient },
    Wechatbot { client: wechatbot::protocol::ILinkClient, cdn: wechatbot::CdnClient },
}

pub struct Subject {
    url: String,
    ready: Ready,
}

impl Subject {
    pub async fn new(who: Who, url: &str) -> Result<Self, Failure> {
        let cdn_url = format!("{url}/c2c");
        let ready = match who {
            Who::Ours | Who::OursToFile => {
                let bot =
                    Client::builder().base_url(url).build()?.bot(Credentials::new("b@im.bot", "token"))?;
                let policy = TransferPolicy { max_download: 4 << 30, ..TransferPolicy::default() };
                let media = Media::new(bot)?.cdn_base_url(&cdn_url)?.policy(policy);
                Ready::Ours { media, to_file: who == Who::OursToFile }
            }
            Who::WeixinAgent => {
                let config =
                    weixin_agent::WeixinConfig::builder().base_url(url).cdn_base_url(&cdn_url).token("token");
                Ready::WeixinAgent(
                    weixin_agent::WeixinClient::builder(config.build()?).on_message(Deaf).build()?,
                )
            }
            Who::IlinkSdk => {
                let options = ilink_sdk::api::WeixinApiOptions::new(url)
                    .with_token("token")
                    .with_cdn_base_url(&cdn_url);
                Ready::IlinkSdk(ilink_sdk::api::WeixinApiClient::new(options)?)
            }
            Who::WechatIlink => {
                let credentials = wechat_ilink::Credentials {
                    token: "token".into(),
                    base_url: url.into(),
                    account_id: "b@im.bot".into(),
                    user_id: USER.into(),
                    saved_at: None,
                };
                Ready::WechatIlink {
                    client: wechat_ilink::WechatIlinkClient::builder().credentials(credentials).build(),
                    cdn: wechat_ilink::CdnClient::new().with_base_url(&cdn_url),
                }
            }
            Who::Wechatbot => Ready::Wechatbot {
                client: wechatbot::protocol::ILinkClient::new(),
                cdn: wechatbot::CdnClient::new().with_base_url(&cdn_url),
            },
        };
        Ok(Self { url: url.to_owned(), ready })
    }

    /// From a path, as an agent has its files.
    pub async fn upload(&self, path: &Path) -> Result<(), Failure> {
        match &self.ready {
            Ready::Ours { media, .. } => {
                media.upload(USER, path).await?;
            }
            Ready::WeixinAgent(client) => {
                // Sends the message too, which is one small request more.
                client.send_media(USER, path, Some("context")).await?;
            }
            Ready::IlinkSdk(client) => {
                let kind = ilink_sdk::api::types::UploadMediaType::File;
                ilink_sdk::cdn::upload::upload_media(USER, path, kind, client, &format!("{}/c2c", self.url))
                    .await?;
            }
            Ready::WechatIlink { client, .. } => {
                client.upload(&tokio::fs::read(path).await?, USER, 3).await?;
            }
            // What its own `upload` does, which wants a login first.
            Ready::Wechatbot { client, .. } => {
                use md5::Digest as _;

                let data = tokio::fs::read(path).await?;
                let key = wechatbot::generate_aes_key();
                let ciphertext = wechatbot::encrypt_aes_ecb(&data, &key);
                let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                let params = wechatbot::GetUploadUrlParams {
                    filekey: "0123456789abcdef0123456789abcdef".into(),
                    media_type: 3,
                    to_user_id: USER.into(),
                    rawsize: data.len(),
                    rawfilemd5: hex(&md5::Md5::digest(&data)),
                    filesize: ciphertext.len(),
                    no_need_thumb: true,
                    aeskey: wechatbot::encode_aes_key_hex(&key),
                };
                let place = client.get_upload_url(&self.url, "token", &params).await?;
                let place = place.upload_full_url.ok_or("no place")?;
                client.upload_to_cdn(&place, &ciphertext).await?;
            }
        }
        Ok(())
    }

    /// To memory, which is all that the others have; ours streams to a sink or to a file.
    pub async fn download(&self, size: u64, path: &PathBuf) -> Result<(), Failure> {
        let (param, key) = (size.to_string(), KEY.to_base64_of_hex());
        let cdn_url = format!("{}/c2c", self.url);
        let got = match &self.ready {
            Ready::Ours { media, to_file } => {
                let cdn =
                    CdnMedia { encrypt_query_param: Some(param), aes_key: Some(key), ..CdnMedia::default() };
                let from = MediaRef::new(MediaKind::File, cdn);
                if *to_file {
                    media.download(&from).to_file(path).await?.size
                } else {
                    media.download(&from).to_writer(&mut tokio::io::sink()).await?
                }
            }
            Ready::WeixinAgent(_) => {
                let media = weixin_agent::CdnMedia {
                    encrypt_query_param: Some(param),
                    aes_key: None,
                    encrypt_type: None,
                    full_url: None,
                };
                weixin_agent::cdn::download::download_and_decrypt(&cdn_url, &media, &key).await?.len() as u64
            }
            Ready::IlinkSdk(_) => {
                let media = ilink_sdk::api::types::CdnMedia {
                    encrypt_query_param: Some(param),
                    ..Default::default()
                };
                ilink_sdk::cdn::download::download_and_decrypt(&media, &key, &cdn_url, "bench").await?.len()
                    as u64
            }
            Ready::WechatIlink { cdn, .. } => {
                let media = wechat_ilink::CDNMedia {
                    encrypt_query_param: Some(param),
                    aes_key: Some(key),
                    encrypt_type: None,
                    full_url: None,
                };
                cdn.download(&media, None).await?.len() as u64
            }
            Ready::Wechatbot { cdn, .. } => {
                let media = wechatbot::CDNMedia {
                    encrypt_query_param: param,
                    aes_key: key,
                    encrypt_type: None,
                    full_url: None,
                };
                cdn.download(&media, None).await?.len() as u64
            }
        };
        if got == size { Ok(()) } else { Err(format!("{got} instead of {size} bytes").into()) }
    }
}

/// weixin-agent wants a handler before it does anything.
struct Deaf;

#[async_trait::async_trait]
impl weixin_agent::MessageHandler for Deaf {
    async fn on_message(&self, _: &weixin_agent::MessageContext) -> weixin_agent::Result<()> {
        Ok(())
    }
}
