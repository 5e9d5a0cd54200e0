//! Compares `markdown::Filter` with the official plugin's filter on random texts: `cargo xtask bench markdown`.
//!
//! `OFFICIAL_PLUGIN` names the folder of `@tencent-weixin/openclaw-weixin`, `NODE` a Node.js. Arguments:
//! `[--count N] [--seed N] [--goldens FILE]`; the last one keeps a hundred of the pairs.

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};

use weixin_channel::markdown::{Filter, Mode, render};

/// What the filters look at, and what they should not.
const PIECES: [&str; 60] = [
    "*",
    "**",
    "***",
    "****",
    "_",
    "__",
    "___",
    "`",
    "``",
    "```",
    "````",
    "```rust\n",
    "~~~",
    "~~",
    "#",
    "## ",
    "#### ",
    "##### ",
    "###### ",
    "####### ",
    "#####",
    "![",
    "](",
    "[",
    "]",
    "(",
    ")",
    "![图](http://x.example/a.png)",
    "[a](b)",
    "!",
    "\n",
    "\n\n",
    "\r\n",
    " ",
    "  ",
    "\t",
    "> ",
    "- ",
    "* ",
    "1. ",
    "---\n",
    "***\n",
    "* * *",
    "___\n",
    "| a | b |\n",
    "|---|---|\n",
    "字",
    "中文 词",
    "한글",
    "かな",
    "𠀀",
    "🙂",
    "，。",
    "word",
    "snake_case",
    "a",
    "5 * 3",
    "\\*",
    "<b>",
    "é",
];

fn main() -> Result<(), Box<dyn Error>> {
    let (mut count, mut seed, mut goldens) = (20_000_usize, 1_u64, None);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--count" => count = value.parse()?,
            "--seed" => seed = value.parse()?,
            "--goldens" => goldens = Some(value),
            _ => return Err(format!("{name} is unknown: --count, --seed or --goldens").into()),
        }
    }
    let mut random = seed;
    let texts: Vec<String> = (0..count).map(|_| text(&mut random)).collect();
    let official = official(&texts)?;
    let (mut different, mut cut_different, mut changed) = (0, 0, 0);
    for (text, official) in texts.iter().zip(&official) {
        changed += usize::from(text != official);
        let ours = render(text, Mode::Filtered);
        if ours != *official {
            different += 1;
            println!("{text:?}\n  official {official:?}\n  ours     {ours:?}");
        }
        cut_different += usize::from(cut(text, &mut random) != *official);
    }
    println!(
        "{count} texts of seed {seed}, of which the official filter changes {changed}: {different} differ whole, \
         {cut_different} differ cut at random"
    );
    if let Some(path) = goldens {
        let short =
            texts.iter().zip(&official).filter(|(text, out)| text != out && text.len() < 120).take(100);
        std::fs::write(path, serde_json::to_string_pretty(&short.collect::<Vec<_>>())? + "\n")?;
    }
    if different + cut_different == 0 { Ok(()) } else { Err("the filters differ".into()) }
}

/// What the official filter makes of each text as a whole.
fn official(texts: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
    let plugin = std::env::var_os("OFFICIAL_PLUGIN").ok_or("OFFICIAL_PLUGIN names no folder")?;
    let mut node = Command::new(std::env::var_os("NODE").unwrap_or_else(|| "node".into()))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/markdown.mjs"))
        .arg(plugin)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // Node reads all of it before it writes.
    node.stdin.take().ok_or("no pipe")?.write_all(&serde_json::to_vec(texts)?)?;
    let output = node.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("the official filter failed ({})", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The text through a filter in pieces of 1 to 4 characters.
fn cut(text: &str, random: &mut u64) -> String {
    let mut filter = Filter::default();
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let piece: String = chars.by_ref().take(1 + below(random, 4)).collect();
        out.push_str(&filter.push(&piece));
    }
    out + &filter.finish()
}

fn text(random: &mut u64) -> String {
    (0..=below(random, 30)).map(|_| PIECES[below(random, PIECES.len())]).collect()
}

/// splitmix64.
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_filter_gives_the_same_for_every_cut_and_a_seed_the_same_texts() {
        let (mut random, mut again, mut cuts) = (1, 1, 2);
        for _ in 0..500 {
            let text = text(&mut random);
            assert_eq!(text, super::text(&mut again));
            assert_eq!(cut(&text, &mut cuts), render(&text, Mode::Filtered), "{text:?}");
        }
    }
}
