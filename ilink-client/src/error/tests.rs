use super::*;

#[test]
fn display_says_what_to_do() {
    let stale = Error::api(None, Some(-14), Some("session timeout".into())).at("getupdates", 1);
    assert_eq!(
        stale.to_string(),
        "getupdates: errcode -14 (session timeout): the token is no longer valid: log in again by QR code"
    );
    assert!(stale.is_stale_session());
    assert_eq!((stale.retry_class(), stale.code()), (RetryClass::AfterLogin, "needs-login"));

    let refused = Error::api(Some(-2), None, None).at("sendmessage", 1);
    assert!(refused.to_string().starts_with("sendmessage: ret -2: refused for now: wait"), "{refused}");
    assert_eq!(refused.retry_class(), RetryClass::Later);

    let connect = Error::new(ErrorKind::Connect, "cannot connect to 127.0.0.1:1")
        .with_source(std::io::Error::other("Connection refused"))
        .at("notifystart", 3);
    assert_eq!(
        connect.to_string(),
        "notifystart: cannot connect to 127.0.0.1:1 (Connection refused) [after 3 attempts]"
    );
}

#[test]
fn retry_class_by_status() {
    let class = |status| Error::new(ErrorKind::Status, "").with_status(status).retry_class();
    assert_eq!(class(400), RetryClass::Never);
    assert_eq!(class(429), RetryClass::Safe);
    assert_eq!(class(500), RetryClass::Idempotent);
    assert_eq!(class(524), RetryClass::Idempotent);
}
