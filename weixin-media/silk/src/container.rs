//! The file: a header, then packets with their lengths.
//!
//! `#!SILK_V3`, then for each packet its length in two bytes, little-endian, and itself. A length of 0 stands for a
//! packet that was lost or not sent. 0xFFFF ends the file. WeChat's files have no such mark, and the byte 0x02 before
//! the header: <https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#6-media>.

use std::io::{ErrorKind, Read, Write};

use super::SilkError;
use super::range_decoder::MAX_PACKET;

/// The header.
const SILK: &[u8; 9] = b"#!SILK_V3";

/// WeChat puts this byte before it.
const TENCENT: u8 = 0x02;

/// The length that ends a file.
const END: u16 = 0xffff;

/// Reads the packets of a file, one at a time.
///
/// ```
/// use weixin_silk::PacketReader;
///
/// let mut reader = PacketReader::new(&b"\x02#!SILK_V3\x02\x00ab\x00\x00"[..])?;
/// assert_eq!(reader.next()?, Some(&b"ab"[..]));
/// assert_eq!(reader.next()?, Some(&b""[..]));
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), weixin_silk::SilkError>(())
/// ```
#[derive(Debug)]
pub struct PacketReader<R> {
    input: R,
    packet: Vec<u8>,
    ended: bool,
}

impl<R: Read> PacketReader<R> {
    /// Reads the header. `input` is read in small pieces: give a buffered one.
    ///
    /// # Errors
    /// [`SilkError::NotSilk`], and what the reader says.
    pub fn new(mut input: R) -> Result<Self, SilkError> {
        let mut header = [0; SILK.len()];
        let not_silk = |error: std::io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => SilkError::NotSilk,
            _ => SilkError::Io(error),
        };
        input.read_exact(&mut header[..1]).map_err(not_silk)?;
        let rest = usize::from(header[0] != TENCENT);
        input.read_exact(&mut header[rest..]).map_err(not_silk)?;
        if header != *SILK {
            return Err(SilkError::NotSilk);
        }
        Ok(Self { input, packet: Vec::new(), ended: false })
    }

    /// The next packet, empty for one that was lost or not sent; `None` at the end, with or without its mark.
    ///
    /// # Errors
    /// [`SilkError::CutOff`], [`SilkError::PacketTooLong`], and what the reader says. Nothing follows an error.
    #[allow(clippy::should_implement_trait, reason = "the packet is lent, which no Iterator can do")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, SilkError> {
        if self.ended {
            return Ok(None);
        }
        // Whatever goes wrong below ends it.
        self.ended = true;
        let mut length = [0; 2];
        match read_up_to(&mut self.input, &mut length)? {
            0 => return Ok(None),
            1 => return Err(SilkError::CutOff),
            _ => {}
        }
        let length = u16::from_le_bytes(length);
        if length == END {
            return Ok(None);
        }
        let length = usize::from(length);
        if length > MAX_PACKET {
            return Err(SilkError::PacketTooLong(length));
        }
        self.packet.resize(length, 0);
        if read_up_to(&mut self.input, &mut self.packet)? < length {
            return Err(SilkError::CutOff);
        }
        self.ended = false;
        Ok(Some(&self.packet))
    }
}

/// Fills the buffer as far as the input goes.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, SilkError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

/// Writes a file, packet by packet.
///
/// ```
/// use weixin_silk::PacketWriter;
///
/// let mut writer = PacketWriter::wechat(Vec::new())?;
/// writer.write(b"ab")?;
/// assert_eq!(writer.finish()?, b"\x02#!SILK_V3\x02\x00ab");
/// # Ok::<(), weixin_silk::SilkError>(())
/// ```
#[derive(Debug)]
pub struct PacketWriter<W> {
    output: W,
    end_mark: bool,
}

impl<W: Write> PacketWriter<W> {
    /// As WeChat has it: 0x02 first, and no mark at the end.
    ///
    /// # Errors
    /// What the writer says.
    pub fn wechat(mut output: W) -> Result<Self, SilkError> {
        output.write_all(&[TENCENT])?;
        output.write_all(SILK)?;
        Ok(Self { output, end_mark: false })
    }

    /// As the SDK's own encoder has it: no 0x02, and a mark at the end.
    ///
    /// # Errors
    /// What the writer says.
    pub fn standard(mut output: W) -> Result<Self, SilkError> {
        output.write_all(SILK)?;
        Ok(Self { output, end_mark: true })
    }

    /// Writes a packet; an empty one stands for one that was not sent.
    ///
    /// # Errors
    /// [`SilkError::PacketTooLong`] if it has more than 1024 bytes, and what the writer says.
    pub fn write(&mut self, packet: &[u8]) -> Result<(), SilkError> {
        let length = u16::try_from(packet.len()).unwrap_or(END);
        if packet.len() > MAX_PACKET {
            return Err(SilkError::PacketTooLong(packet.len()));
        }
        self.output.write_all(&length.to_le_bytes())?;
        Ok(self.output.write_all(packet)?)
    }

    /// Ends the file and gives the writer back.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> Result<W, SilkError> {
        if self.end_mark {
            self.output.write_all(&END.to_le_bytes())?;
        }
        self.output.flush()?;
        Ok(self.output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<String>) {
        let mut packets = Vec::new();
        let mut reader = match PacketReader::new(bytes) {
            Ok(reader) => reader,
            Err(error) => return (packets, Some(error.to_string())),
        };
        loop {
            match reader.next() {
                Ok(Some(packet)) => packets.push(packet.to_vec()),
                Ok(None) => return (packets, None),
                Err(error) => {
                    let error = error.to_string();
                    assert!(matches!(reader.next(), Ok(None)));
                    return (packets, Some(error));
                }
            }
        }
    }

    #[test]
    fn what_is_damaged_is_said() {
        let cases: [(&[u8], usize, &str); 7] = [
            (b"", 0, "not SILK"),
            (b"\x02#!SILK_V2", 0, "not SILK"),
            (b"\x02\x02#!SILK_V3", 0, "not SILK"),
            (b"#!SILK_V3\x01", 0, "ends within a packet"),
            (b"#!SILK_V3\x01\0a\x02\0b", 1, "ends within a packet"),
            (b"#!SILK_V3\x01\0a\x01\x04b", 1, "1025 bytes"),
            (b"#!SILK_V3\x01\0a\xfe\xff", 1, "65534 bytes"),
        ];
        for (bytes, packets, text) in cases {
            let (found, error) = read(bytes);
            assert_eq!(found.len(), packets, "{bytes:?}");
            assert!(error.unwrap().contains(text), "{bytes:?}");
        }
        let mut writer = PacketWriter::standard(Vec::new()).unwrap();
        assert!(writer.write(&[0; 1025]).is_err());
        assert_eq!(read(b"#!SILK_V3\xff\xffrest"), (Vec::new(), None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..9), wechat: bool) {
            let start = if wechat { PacketWriter::wechat } else { PacketWriter::standard };
            let mut writer = start(Vec::new()).unwrap();
            for packet in &packets {
                writer.write(packet).unwrap();
            }
            prop_assert_eq!(read(&writer.finish().unwrap()), (packets, None));
        }
    }
}
