//! Where the targets begin: recorded answers, clips, names.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Outcome;
use crate::process::root;

/// All seeds there are, below the corpus.
pub(super) fn plant(corpus: &Path) -> Outcome {
    seed(corpus)?;
    seed_silk(&corpus.join("silk"))
}

/// Recorded answers as seeds, by the target that reads them.
fn seed(corpus: &Path) -> Outcome {
    let wire = root().join("fixtures").join("wire");
    let error = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    for endpoint in fs::read_dir(&wire).map_err(|e| error(&wire, &e))? {
        let endpoint = endpoint.map_err(|e| error(&wire, &e))?.path();
        let name = endpoint.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((target_name, prefix)) = target_of(&name) else { continue };
        let own = corpus.join(target_name);
        fs::create_dir_all(&own).map_err(|e| error(&own, &e))?;
        for case in fs::read_dir(&endpoint).map_err(|e| error(&endpoint, &e))? {
            let case = case.map_err(|e| error(&endpoint, &e))?.path();
            let text = fs::read_to_string(&case).map_err(|e| error(&case, &e))?;
            let exchange: Value = serde_json::from_str(&text).map_err(|e| error(&case, &e))?;
            let Some(body) = exchange["response"]["body"].as_str() else { continue };
            if name == "getupdates" {
                seed_messages(&corpus.join("inbound"), &case, body)?;
            }
            let seed = own.join(format!("{name}-{}", case.file_stem().unwrap_or_default().to_string_lossy()));
            fs::write(&seed, [&prefix, body.as_bytes()].concat()).map_err(|e| error(&seed, &e))?;
        }
    }
    Ok(())
}

/// Each message of an answer to a poll by itself.
fn seed_messages(corpus: &Path, case: &Path, answer: &str) -> Outcome {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    fs::create_dir_all(corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    for (number, message) in answer["msgs"].as_array().into_iter().flatten().enumerate() {
        let name = case.file_stem().unwrap_or_default().to_string_lossy();
        let seed = corpus.join(format!("{name}-{number}"));
        fs::write(&seed, message.to_string()).map_err(|error| format!("{}: {error}", seed.display()))?;
    }
    Ok(())
}

/// The clips of our tests, behind their header, once for each choice that the target's first byte is.
fn seed_silk(corpus: &Path) -> Outcome {
    let clips = root().join("weixin-media/silk/tests/clips");
    let error = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    fs::create_dir_all(corpus).map_err(|e| error(corpus, &e))?;
    for clip in fs::read_dir(&clips).map_err(|e| error(&clips, &e))? {
        let clip = clip.map_err(|e| error(&clips, &e))?.path();
        if clip.extension().is_none_or(|extension| extension != "silk") {
            continue;
        }
        let bytes = fs::read(&clip).map_err(|e| error(&clip, &e))?;
        let packets = bytes.strip_prefix(b"\x02#!SILK_V3").unwrap_or_default();
        for choice in 0..8 {
            let seed =
                corpus.join(format!("{}-{choice}", clip.file_stem().unwrap_or_default().to_string_lossy()));
            fs::write(&seed, [&[choice], packets].concat()).map_err(|e| error(&seed, &e))?;
        }
    }
    Ok(())
}

/// The target that reads an endpoint's answers, and what it wants in front of them.
fn target_of(endpoint: &str) -> Option<(&'static str, Vec<u8>)> {
    // `envelope` takes the status less 100 in two bytes and the number of the endpoint.
    let envelope = |number: u8| Some(("envelope", vec![100, 0, number]));
    match endpoint {
        "getupdates" => Some(("updates", Vec::new())),
        "sendmessage" => Some(("send", Vec::new())),
        "get_qrcode_status" => Some(("login_status", Vec::new())),
        "notifystart" => envelope(0),
        "notifystop" => envelope(1),
        "getconfig" => envelope(2),
        "sendtyping" => envelope(3),
        "getuploadurl" => envelope(4),
        "get_bot_qrcode" => envelope(5),
        _ => None,
    }
}
