//! What the machine allows: one-thread MD5, AES in place, and a bare socket on loopback.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use md5::{Digest as _, Md5};
use weixin_media::codec::{Encryptor, encrypted_size};

use crate::KEY;
use crate::clients::Failure;
use crate::tls::{Stream, Tls};

/// MB/s of processor time, where 1 MB is 10^6 bytes: as `openssl speed` counts. The best of five, after a warm-up.
fn rate(bytes: usize, mut work: impl FnMut()) -> Result<f64, Failure> {
    let mut rates = Vec::new();
    for _ in 0..6 {
        let (start, until, mut done) = (on_cpu()?, Instant::now() + Duration::from_millis(300), 0);
        while Instant::now() < until {
            for _ in 0..100 {
                work();
            }
            done += 100 * bytes;
        }
        rates.push(done as f64 / (on_cpu()? - start) / 1e6);
    }
    Ok(rates.into_iter().skip(1).fold(0.0, f64::max))
}

/// Seconds that this thread has run, whatever else runs on the machine.
fn on_cpu() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .map_err(|error| format!("this runs on Linux only: {error}"))?;
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    Ok(nanos.ok_or("/proc/thread-self/schedstat is not understood")? / 1e9)
}

pub fn md5() -> Result<f64, Failure> {
    let data = vec![1; 256 << 10];
    rate(data.len(), || {
        black_box(Md5::digest(black_box(&data)));
    })
}

/// In blocks of 16 KiB, which is what `openssl speed` ends with.
pub fn aes() -> Result<f64, Failure> {
    let mut data = vec![1; 16 << 10];
    let mut encryptor = Encryptor::new(&KEY);
    // Whole blocks, so that there is nothing to fail.
    rate(data.len(), || {
        let _ = encryptor.in_place(black_box(&mut data));
    })
}

/// The same of `openssl speed`, if it is installed.
pub fn openssl() -> Option<f64> {
    let args = ["speed", "-evp", "aes-128-ecb", "-bytes", "16384", "-seconds", "2", "-mr"];
    let once = || {
        let output = Command::new("openssl").args(args).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // `+F:22:AES-128-ECB:23512345678.00`, in bytes per second.
        let line = text.lines().find(|line| line.starts_with("+F:"))?;
        Some(line.rsplit(':').next()?.trim().parse::<f64>().ok()? / 1e6)
    };
    (0..3).filter_map(|_| once()).reduce(f64::max)
}

/// A bare socket that writes an upload; the server reads and forgets.
pub fn loopback_up(url: &str, tls: Option<&Tls>, size: u64) -> Result<f64, Failure> {
    let buffer = vec![1; 256 << 10];
    best(size, || {
        let mut stream = connect(url, tls)?;
        let length = encrypted_size(size);
        let head = format!("POST /c2c/upload HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut left = length;
        while left > 0 {
            let now = left.min(buffer.len() as u64);
            stream.write_all(&buffer[..now as usize])?;
            left -= now;
        }
        stream.flush()?;
        let read = stream.read(&mut [0; 1024])?;
        if read == 0 {
            return Err("the CDN gave no answer to an upload".into());
        }
        Ok(())
    })
}

/// A bare socket that reads a download and forgets it.
pub fn loopback_down(url: &str, tls: Option<&Tls>, size: u64) -> Result<f64, Failure> {
    let mut buffer = vec![0; 256 << 10];
    best(size, || {
        let mut stream = connect(url, tls)?;
        stream.write_all(format!("GET /download/{size} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())?;
        stream.flush()?;
        let (mut got, mut head) = (0, true);
        while got < encrypted_size(size) {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err("the CDN broke off a download".into());
            }
            let skip = if std::mem::take(&mut head) {
                buffer.windows(4).position(|end| end == b"\r\n\r\n").ok_or("the CDN sent no head")? + 4
            } else {
                0
            };
            got += (read - skip) as u64;
        }
        Ok(())
    })
}

/// A bare connection, over TLS where the URL says so.
fn connect(url: &str, tls: Option<&Tls>) -> Result<Box<dyn Stream>, Failure> {
    let (_, address) = url.split_once("://").ok_or("no URL")?;
    let stream = TcpStream::connect(address)?;
    match tls {
        Some(tls) => tls.connect(stream),
        None => Ok(Box::new(stream)),
    }
}

/// The best of some, as everything that goes over a socket is measured.
fn best(size: u64, mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut rates = Vec::new();
    for _ in 0..8 {
        let start = Instant::now();
        work()?;
        rates.push(size as f64 / start.elapsed().as_secs_f64() / 1e6);
    }
    Ok(rates.into_iter().skip(1).fold(0.0, f64::max))
}
