//! One file per endpoint: a struct, its setters, and what happens when it is awaited.

mod get_config;
mod get_updates;
mod get_upload_url;
mod notify;
mod send_message;
mod send_typing;

pub use get_config::GetConfig;
pub use get_updates::{GetUpdates, RawJson, Received, Update, UpdateBatch};
pub use get_upload_url::{GetUploadUrl, UploadTarget};
pub use notify::{NotifyStart, NotifyStop};
pub use send_message::{SendMessage, Sent};
pub use send_typing::SendTyping;

/// Awaiting a request sends it.
macro_rules! into_future {
    ($request:ident => $output:ty) => {
        impl<'a> std::future::IntoFuture for $request<'a> {
            type Output = Result<$output, crate::error::Error>;
            type IntoFuture = crate::transport::BoxFuture<'a, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}
pub(crate) use into_future;
