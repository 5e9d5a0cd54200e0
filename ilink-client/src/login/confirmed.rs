//! What a confirmed login brings.

use crate::bot::Credentials;
use crate::endpoint::GET_QRCODE_STATUS;
use crate::error::{Error, ErrorKind};
use crate::wire::response::QrcodeStatus;

/// Bot id and token have to be there; the rest may be missing (docs/protocol.md §5).
pub(super) fn credentials(answer: QrcodeStatus) -> Result<Credentials, Error> {
    let failed = |field| {
        let detail = format!("the login was confirmed without {field}: it failed; start it again");
        Error::new(ErrorKind::Login, detail).at(GET_QRCODE_STATUS.name, 1)
    };
    let bot_id = answer.ilink_bot_id.filter(|id| !id.is_empty()).ok_or_else(|| failed("ilink_bot_id"))?;
    let token = answer.bot_token.filter(|token| !token.is_empty()).ok_or_else(|| failed("bot_token"))?;
    let mut credentials = Credentials::new(bot_id, token);
    credentials.base_url = answer.baseurl.filter(|url| !url.trim().is_empty());
    credentials.user_id = answer.ilink_user_id.filter(|user| !user.is_empty());
    Ok(credentials)
}
