//! `cargo xtask bench media`: weixin-media beside four published clients and the official plugin, in one run.
//!
//! Each measurement is a fresh process, so that no client warms anything up for the next; a small CDN is in the parent.
//! Throughput is the best of some runs, since what else the machine does only ever makes it slower; memory is the highest: the peak of the resident set above what it was when the
//! client was set up and had moved one small file. 1 MB is 10^6 bytes, 1 MiB is 2^20.
//!
//! First over plain http, then over TLS with a certificate of our own, which the clients find in `SSL_CERT_FILE` (a client
//! with built-in roots alone has no figure there).
//!
//! The official plugin is measured if `OFFICIAL_PLUGIN` names its folder (the one with `dist/`); `NODE` may name a node of
//! version 22 or later.

mod bound;
mod cdn;
mod clients;
mod tls;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use weixin_media::codec::MediaKey;

use crate::clients::{Failure, Subject, Who};
use crate::tls::Tls;

/// The key of every download.
pub const KEY: MediaKey = MediaKey::new(*b"0123456789abcdef");

const MIB: u64 = 1 << 20;

/// Sizes in MiB; the last is ours alone, since the others hold it in memory several times.
const SIZES: [u64; 2] = [64, 1024];

/// Fresh processes per figure.
const RUNS: usize = 7;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, who, what, size, url, folder] = &args[..]
        && child == "child"
    {
        let who = Who::from_name(who).ok_or_else(|| format!("there is no client {who:?}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let size = size.parse().map_err(|_| format!("a size is a number of MiB, not {size:?}"))?;
        let figures = runtime.block_on(measure(who, what, size, url, Path::new(folder)));
        let (seconds, peak) = figures.map_err(|error| format!("{}: {error}", who.name()))?;
        println!("{seconds} {peak}");
        return Ok(());
    }
    if args == ["serve"] {
        // For a profiler: `child weixin-media download 1024 URL FOLDER` is what it looks at.
        println!("{}", cdn::start(None)?);
        std::thread::park();
    }
    let folder = std::env::temp_dir().join(format!("media-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for mib in SIZES.iter().copied().chain([0]) {
        let size = usize::try_from(mib * MIB)?.max(1024);
        std::fs::write(file(&folder, mib), noise(size))?;
    }
    let done = (|| {
        let cpu = cpu()?;
        run(&cdn::start(None)?, None, cpu, &folder)?;
        let tls = Tls::new(&ca_file(&folder))?;
        run(&cdn::start(Some(&tls))?, Some(&tls), cpu, &folder)
    })();
    std::fs::remove_dir_all(&folder)?;
    done
}

/// MD5 and AES, MB/s.
fn cpu() -> Result<(f64, f64), Failure> {
    let (md5, aes) = (bound::md5()?, bound::aes()?);
    println!("MD5, one thread         {md5:>8.0} MB/s");
    println!("AES-128-ECB in place    {aes:>8.0} MB/s");
    match bound::openssl() {
        Some(openssl) => println!(
            "openssl speed           {openssl:>8.0} MB/s   ours is {:.2} of it (wanted: 0.9)",
            aes / openssl
        ),
        None => println!("openssl speed           not installed"),
    }
    Ok((md5, aes))
}

fn run(url: &str, tls: Option<&Tls>, (md5, aes): (f64, f64), folder: &Path) -> Result<(), Failure> {
    println!("\n== over {}", if tls.is_some() { "TLS" } else { "plain http" });
    for mib in SIZES {
        let (up, down) =
            (bound::loopback_up(url, tls, mib * MIB)?, bound::loopback_down(url, tls, mib * MIB)?);
        let (up_bound, down_bound) =
            (1.0 / (1.0 / md5 + 1.0 / aes + 1.0 / up), 1.0 / (1.0 / aes + 1.0 / down));
        println!(
            "\n{mib} MiB: loopback up {up:.0}, down {down:.0} MB/s; so at most {up_bound:.0} up, {down_bound:.0} down"
        );
        println!(
            "{:<26}{:>10}{:>8}{:>10}{:>12}{:>8}{:>10}",
            "", "up MB/s", "bound", "peak MiB", "down MB/s", "bound", "peak MiB"
        );
        let mut fastest = [0.0_f64; 2];
        let mut ours = [0.0; 2];
        for who in Who::ALL {
            let own = matches!(who, Who::Ours | Who::OursToFile);
            if mib > SIZES[0] && !own {
                continue;
            }
            // Where a download goes makes no other upload.
            let (up, up_peak) = match who {
                Who::OursToFile => (f64::NAN, f64::NAN),
                _ => child(who, "upload", mib, url, folder)?,
            };
            let (down, down_peak) = child(who, "download", mib, url, folder)?;
            line(who.name(), [up, up / up_bound, up_peak, down, down / down_bound, down_peak]);
            match who {
                Who::Ours => ours = [up, down],
                Who::OursToFile => {}
                _ => fastest = [fastest[0].max(up), fastest[1].max(down)],
            }
        }
        if mib > SIZES[0] {
            continue;
        }
        if let Some(official) = std::env::var_os("OFFICIAL_PLUGIN") {
            let (up, up_peak) = node(&official, "upload", mib, url, folder)?;
            let (down, down_peak) = node(&official, "download", mib, url, folder)?;
            line("official plugin, node", [up, up / up_bound, up_peak, down, down / down_bound, down_peak]);
            fastest = [fastest[0].max(up), fastest[1].max(down)];
        }
        let (up, down) = (ours[0] / fastest[0], ours[1] / fastest[1]);
        println!("ours is {up:.1} times the fastest of the others up, {down:.1} times down (wanted: 2)");
    }
    Ok(())
}

/// NaN is what was not measured.
fn line(name: &str, [up, up_part, up_peak, down, down_part, down_peak]: [f64; 6]) {
    let shown = |figure: f64, digits: usize| {
        if figure.is_nan() { "–".to_owned() } else { format!("{figure:.digits$}") }
    };
    println!(
        "{name:<26}{:>10}{:>8}{:>10}{:>12}{:>8}{:>10}",
        shown(up, 0),
        shown(up_part, 2),
        shown(up_peak, 1),
        shown(down, 0),
        shown(down_part, 2),
        shown(down_peak, 1)
    );
}

fn child(who: Who, what: &str, mib: u64, url: &str, folder: &Path) -> Result<(f64, f64), Failure> {
    let myself = std::env::current_exe()?;
    runs(mib, || {
        let mut command = Command::new(&myself);
        command.args(["child", who.name(), what, &mib.to_string(), url]).arg(folder);
        command.env("SSL_CERT_FILE", ca_file(folder));
        command
    })
}

fn node(
    official: &std::ffi::OsStr,
    what: &str,
    mib: u64,
    url: &str,
    folder: &Path,
) -> Result<(f64, f64), Failure> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/official.mjs");
    runs(mib, || {
        let mut command = Command::new(std::env::var_os("NODE").unwrap_or_else(|| "node".into()));
        command
            .arg(script)
            .arg(official)
            .args([what, &mib.to_string(), url])
            .arg(folder)
            .arg(KEY.to_base64_of_hex())
            .env("NODE_EXTRA_CA_CERTS", ca_file(folder));
        command
    })
}

/// MB/s and the peak in MiB.
fn runs(mib: u64, command: impl Fn() -> Command) -> Result<(f64, f64), Failure> {
    let (mut best, mut peak) = (0.0_f64, 0.0_f64);
    for _ in 0..RUNS {
        let output = command().output().map_err(|error| format!("a client does not start: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut figures = text.split_whitespace().map(|figure| figure.parse::<f64>().ok());
        let (Some(Some(seconds)), Some(Some(kib))) = (figures.next(), figures.next()) else {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return Ok((f64::NAN, f64::NAN));
        };
        best = best.max((mib * MIB) as f64 / seconds / 1e6);
        peak = peak.max(kib / 1024.0);
    }
    Ok((best, peak))
}

/// In the child: seconds, and the peak above baseline in KiB.
async fn measure(who: Who, what: &str, mib: u64, url: &str, folder: &Path) -> Result<(f64, u64), Failure> {
    let subject = Subject::new(who, url).await?;
    let target = folder.join(format!("download-{}", std::process::id()));
    subject.upload(&file(folder, 0)).await?;
    subject.download(1024, &target).await?;
    // From here on the peak counts anew.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS")?;
    let start = Instant::now();
    match what {
        "upload" => subject.upload(&file(folder, mib)).await?,
        _ => subject.download(mib * MIB, &target).await?,
    }
    let seconds = start.elapsed().as_secs_f64();
    let peak = status("VmHWM")?.saturating_sub(before);
    let _ = std::fs::remove_file(target);
    Ok((seconds, peak))
}

/// A line of `/proc/self/status`, in KiB.
fn status(name: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or("no such line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}

/// The certificate that clients are to trust; not there before TLS is.
fn ca_file(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

fn file(folder: &Path, mib: u64) -> PathBuf {
    folder.join(format!("{mib}.bin"))
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
