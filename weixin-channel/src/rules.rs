//! The rules that Rust and the plugin's JavaScript share, by the cases of `fixtures/rules`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ilink_client::UserId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::access::{Policy, Verdict, decide, plain_user_id};
use crate::account::AccountId;
use crate::error::Error;
use crate::folder::StateDir;
use crate::folder::environment::Environment;

/// What a rule makes of an input. The folder is the case's own, its `{root}`.
type Run = fn(&Value, &Path) -> Value;

/// How the cases of each file are run.
const RUNS: [(&str, Run); 6] = [
    ("access.json", access),
    ("account-ids.json", account_ids),
    ("accounts.json", accounts),
    ("policies.json", policies),
    ("state-folder.json", state_folder),
    ("user-ids.json", user_ids),
];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    input: Value,
    expected: Value,
    why: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules")
}

#[test]
fn each_file_of_rules_is_run() {
    let files = fs::read_dir(folder()).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, RUNS.map(|(name, _)| name));
}

#[test]
fn each_case_comes_out_as_the_rules_say() {
    let mut wrong = Vec::new();
    for (name, run) in RUNS {
        let cases: Vec<Case> = serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap();
        assert!(!cases.is_empty(), "{name}");
        for (index, case) in cases.iter().enumerate() {
            assert!(!case.why.is_empty(), "{name} {index}");
            let root = TempDir::new().unwrap();
            let Case { input, expected, why } = filled(case, root.path());
            let found = run(&input, root.path());
            if found != expected {
                wrong.push(format!("{name} {index}: {input} gave {found}, not {expected}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The case with the folders that it means.
fn filled(case: &Case, root: &Path) -> Case {
    let mut text = serde_json::to_string(case).unwrap();
    for (place, folder) in [("{root}", root), ("{cwd}", &std::env::current_dir().unwrap())] {
        text = text.replace(place, &slashes(folder));
    }
    serde_json::from_str(&text).unwrap()
}

/// With the slashes of the files.
fn slashes(path: &Path) -> String {
    path.to_str().unwrap().replace('\\', "/")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn access(input: &Value, _: &Path) -> Value {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Input {
        policy: String,
        sender: UserId,
        owner: Option<UserId>,
        allow_from: Vec<String>,
        approved: Vec<String>,
    }
    let Input { policy, sender, owner, allow_from, approved } = Input::deserialize(input).unwrap();
    match decide(policy.parse().unwrap(), &sender, owner.as_ref(), &allow_from, &approved) {
        Verdict::Allowed { .. } => json!("allowed"),
        Verdict::Pair => json!("pair"),
        Verdict::Refused => json!("refused"),
    }
}

fn account_ids(input: &Value, _: &Path) -> Value {
    let id = AccountId::new(text(input));
    json!({ "id": id, "bot": id.bot_id() })
}

fn accounts(input: &Value, root: &Path) -> Value {
    let files: Vec<(String, String)> = Vec::deserialize(input).unwrap();
    for (age, (name, content)) in (0_u64..).zip(files) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + age);
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    }
    let state = StateDir::new(root);
    let (damaged, ids) = match state.account_ids() {
        Ok(ids) => (false, ids),
        // Told once; the index is kept aside then.
        Err(Error::Corrupt { .. }) => (true, state.account_ids().unwrap()),
        Err(error) => panic!("{error}"),
    };
    let accounts = state.accounts().unwrap();
    let logged_in: Vec<_> = accounts.iter().map(|account| json!([account.id, account.user_id])).collect();
    json!({ "ids": ids, "damaged": damaged, "loggedIn": logged_in })
}

fn policies(input: &Value, _: &Path) -> Value {
    match input.as_str().map(str::parse::<Policy>) {
        None => json!(Policy::default().as_str()),
        Some(Ok(policy)) => json!(policy.as_str()),
        Some(Err(_)) => Value::Null,
    }
}

fn state_folder(input: &Value, _: &Path) -> Value {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        env: Map<String, Value>,
        home: PathBuf,
        folders: Vec<PathBuf>,
    }
    let Input { env, home, folders } = Input::deserialize(input).unwrap();
    for folder in folders {
        fs::create_dir_all(folder).unwrap();
    }
    let var = |name: &str| env.get(name).map(|value| OsString::from(text(value)));
    let found = Environment { var, system_home: Some(home) }.state_dir().unwrap();
    json!(slashes(&found))
}

fn user_ids(input: &Value, _: &Path) -> Value {
    json!(plain_user_id(text(input)))
}
