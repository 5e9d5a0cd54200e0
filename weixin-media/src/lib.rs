#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod codec;
mod error;
mod transfer;

pub use error::{Error, ErrorKind};
pub use ilink_client;
pub use mime;
pub use transfer::{
    AddressPolicy, AddressRefused, Download, Media, MediaRef, Progress, Remote, RemoteBuilder,
    RemoteDownload, RemoteFile, Saved, SeekableReader, Source, Thumbnail, TransferPolicy, Upload, Uploaded,
    VoiceInfo,
};
