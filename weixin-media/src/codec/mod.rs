//! Media as bytes, without any input or output: keys, cipher, digests, types, names.

mod cdn_url;
mod cipher;
mod digest;
mod file_name;
mod key;
mod sniff;
mod voice;

pub use cdn_url::{DEFAULT_CDN_URL, download_url, thumbnail_upload_url, upload_url};
pub use cipher::{BLOCK, CipherError, Decryptor, Encryptor, encrypted_size};
pub(crate) use digest::parse_md5;
pub use digest::{Digest, Fingerprint};
pub use file_name::{MAX_FILE_NAME, safe_file_name};
pub use key::{KeyError, MediaKey};
pub use sniff::{MediaKind, Sniffed, sniff};
pub use voice::{MAX_SILK, VoiceError, VoiceFile, convert_voice, is_silk, silk_without_prefix};
#[cfg(feature = "silk")]
pub use weixin_silk as silk;
