//! The least that is a CDN: takes uploads and forgets them, sends downloads out of one buffer, and answers the API calls
//! that belong to an upload. Blocking, a thread per connection, in the parent process: what is measured is the client.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use weixin_media::codec::{Encryptor, encrypted_size};

use crate::KEY;
use crate::clients::Failure;
use crate::tls::{Stream, Tls};

/// The plaintext of every download is this many bytes, over and over.
const PATTERN: usize = 1 << 20;

/// Starts it and returns its URL.
pub fn start(tls: Option<&Tls>) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let url = match tls {
        Some(_) => format!("https://localhost:{}", address.port()),
        None => format!("http://{address}"),
    };
    let tls = tls.cloned();
    let mut pattern = vec![0x5a; PATTERN];
    Encryptor::new(&KEY).in_place(&mut pattern)?;
    let server = Arc::new(Server { url: url.clone(), pattern });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (server, tls) = (Arc::clone(&server), tls.clone());
            thread::spawn(move || {
                stream.set_nodelay(true)?;
                let stream: Box<dyn Stream> = match tls {
                    Some(tls) => tls.accept(stream).map_err(|error| io::Error::other(error.to_string()))?,
                    None => Box::new(stream),
                };
                server.serve(stream)
            });
        }
    });
    Ok(url)
}

struct Server {
    url: String,
    pattern: Vec<u8>,
}

impl Server {
    /// Requests until the client goes away.
    fn serve(&self, stream: Box<dyn Stream>) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(256 << 10, stream);
        loop {
            let (mut first, mut length) = (String::new(), 0_u64);
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                let line = line.trim().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or_default();
                }
            }
            discard(&mut reader, length)?;
            // The next request comes after the answer, so nothing waits in the buffer.
            let stream = reader.get_mut();
            let path = first.split(' ').nth(1).unwrap_or_default();
            if path.contains("/download") {
                let size =
                    path.rsplit(['=', '/']).next().and_then(|size| size.parse().ok()).unwrap_or_default();
                self.download(stream, size)?;
            } else if path.contains("/upload") {
                answer(stream, "x-encrypted-param: 1024\r\n", "")?;
            } else if path.contains("getuploadurl") {
                let url = format!("{}/c2c/upload?encrypted_query_param=p&filekey=f&taskid=t", self.url);
                answer(stream, "", &format!(r#"{{"ret":0,"upload_full_url":"{url}"}}"#))?;
            } else {
                answer(stream, "", r#"{"ret":0,"message_id":7441535359615655688}"#)?;
            }
        }
    }

    fn download(&self, stream: &mut dyn Write, size: u64) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
            encrypted_size(size)
        );
        stream.write_all(head.as_bytes())?;
        let mut left = usize::try_from(size).unwrap_or_default() / 16 * 16;
        let rest = vec![0x5a; usize::try_from(size % 16).unwrap_or_default()];
        while left > 0 {
            let now = left.min(PATTERN);
            stream.write_all(&self.pattern[..now])?;
            left -= now;
        }
        let mut last = Vec::new();
        let mut encryptor = Encryptor::new(&KEY);
        encryptor.update(&rest, &mut last);
        last.extend(encryptor.finish());
        stream.write_all(&last)?;
        stream.flush()
    }
}

fn answer(stream: &mut dyn Write, header: &str, body: &str) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}{header}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    stream.flush()
}

fn discard(reader: &mut impl Read, mut left: u64) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = reader.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= read as u64;
    }
    Ok(())
}
