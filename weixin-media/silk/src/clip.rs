//! Whole files: decoding with what the packets tell of each other, and duration.

use std::collections::VecDeque;
use std::io::Read;
#[cfg(feature = "wav")]
use std::io::{Seek, Write};
use std::time::Duration;

use super::SilkError;
use super::container::PacketReader;
use super::decoder::{Decoder, find_fec, read};

/// How far behind a lost packet its copy can be.
const LOOK_AHEAD: usize = 2;
/// What a frame lasts.
const FRAME_MS: u64 = 20;

/// Decodes a file as it is read, in the memory of three packets.
///
/// An empty packet is made up for by its copy, if one of the two packets behind it has one, or else concealed. So is
/// a damaged packet. A file that ends within a packet ends with the packet before it.
///
/// ```
/// use weixin_silk::Clip;
///
/// # fn run(file: &[u8]) -> Result<(), weixin_silk::SilkError> {
/// let mut clip = Clip::new(file, 16_000)?;
/// let mut samples = Vec::new();
/// while clip.next(&mut samples)? {
///     // … samples to where they go
///     samples.clear();
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Clip<R> {
    packets: Packets<R>,
    decoder: Decoder,
    decoded: u64,
    damaged: u64,
}

impl<R: Read> Clip<R> {
    /// Reads the header. `input` is read in small pieces: give a buffered one. Samples are at 8000, 12000, 16000 or
    /// 24000 Hz.
    ///
    /// # Errors
    /// [`SilkError::NotSilk`], [`SilkError::SampleRate`], and what the reader says.
    pub fn new(input: R, sample_rate: u32) -> Result<Self, SilkError> {
        let decoder = Decoder::new(sample_rate)?;
        Ok(Self { packets: Packets::new(input)?, decoder, decoded: 0, damaged: 0 })
    }

    /// Appends the samples of the next packet; false at the end.
    ///
    /// # Errors
    /// [`SilkError::PacketTooLong`], [`SilkError::Empty`] at the end of a file without a packet that is not damaged,
    /// and what the reader says.
    pub fn next(&mut self, samples: &mut Vec<i16>) -> Result<bool, SilkError> {
        let Some(packet) = self.packets.next()? else {
            return if self.decoded > 0 { Ok(false) } else { Err(SilkError::Empty) };
        };
        match self.decoder.decode(&packet, samples) {
            Ok(()) => self.decoded += 1,
            Err(_) => self.damaged += 1,
        }
        Ok(true)
    }

    /// Packets so far that were damaged and therefore concealed.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged
    }
}

/// The packets of a file, copies in place of lost ones.
#[derive(Debug)]
struct Packets<R> {
    reader: PacketReader<R>,
    /// The next ones.
    ahead: VecDeque<Vec<u8>>,
    ended: bool,
}

impl<R: Read> Packets<R> {
    fn new(input: R) -> Result<Self, SilkError> {
        Ok(Self { reader: PacketReader::new(input)?, ahead: VecDeque::new(), ended: false })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, SilkError> {
        while !self.ended && self.ahead.len() <= LOOK_AHEAD {
            match self.reader.next() {
                Ok(Some(packet)) => self.ahead.push_back(packet.to_vec()),
                Ok(None) | Err(SilkError::CutOff) => self.ended = true,
                Err(error) => return Err(error),
            }
        }
        let mut packet = self.ahead.pop_front();
        if let Some(lost) = packet.as_mut().filter(|packet| packet.is_empty()) {
            let mut copies =
                self.ahead.iter().zip(1..).filter_map(|(later, distance)| find_fec(later, distance));
            lost.extend_from_slice(copies.next().unwrap_or_default());
        }
        Ok(packet)
    }
}

/// The samples of a whole file, with or without WeChat's 0x02, at 8000, 12000, 16000 or 24000 Hz. See [`Clip`] for
/// what is made of lost and damaged packets. Few bytes can stand for many samples: ask for the [`duration`] first if they
/// come from a stranger.
///
/// # Errors
/// [`SilkError::NotSilk`], [`SilkError::SampleRate`], [`SilkError::PacketTooLong`], and [`SilkError::Empty`] if there is
/// no packet, or if all are damaged.
pub fn decode(silk: &[u8], sample_rate: u32) -> Result<Vec<i16>, SilkError> {
    let mut clip = Clip::new(silk, sample_rate)?;
    let mut samples = Vec::new();
    while clip.next(&mut samples)? {}
    Ok(samples)
}

/// Writes a file as WAV, 16 bits, mono, in constant memory; see [`Clip`]. Few bytes can stand for many samples: ask for
/// the [`duration`] first if they come from a stranger.
///
/// # Errors
/// As [`decode`], and what reader and writer say. A WAV file has at most 4 GiB.
#[cfg(feature = "wav")]
pub fn to_wav(input: impl Read, sample_rate: u32, output: impl Write + Seek) -> Result<(), SilkError> {
    let mut clip = Clip::new(input, sample_rate)?;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(output, spec).map_err(wav_error)?;
    let mut samples = Vec::new();
    while clip.next(&mut samples)? {
        for sample in samples.drain(..) {
            writer.write_sample(sample).map_err(wav_error)?;
        }
    }
    writer.finalize().map_err(wav_error)
}

#[cfg(feature = "wav")]
fn wav_error(error: hound::Error) -> SilkError {
    SilkError::Io(match error {
        hound::Error::IoError(error) => error,
        other => std::io::Error::other(other),
    })
}

/// How long a file lasts, without decoding it: 20 ms for each frame of each packet, and of what stands in for lost and
/// damaged ones. It is exactly what [`decode`] gives.
///
/// # Errors
/// [`SilkError::NotSilk`], [`SilkError::PacketTooLong`], and what the reader says.
pub fn duration(input: impl Read) -> Result<Duration, SilkError> {
    Ok(duration_within(input, Duration::MAX)?.unwrap_or(Duration::MAX))
}

/// As [`duration`]; `None` for a file that lasts longer than a limit, whose rest is not looked at. For what a stranger
/// sent: the time that this takes is bounded by the limit, whatever the file's length.
///
/// # Errors
/// As [`duration`], for what was looked at.
pub fn duration_within(input: impl Read, limit: Duration) -> Result<Option<Duration>, SilkError> {
    let mut packets = Packets::new(input)?;
    let (mut frames, mut last) = (0_u64, 1);
    while let Some(packet) = packets.next()? {
        if packet.is_empty() {
            frames += last;
        } else {
            let (info, valid) = read(&packet);
            // The frame that is damaged is concealed.
            frames += valid as u64 + u64::from(info.is_none());
            last = (valid as u64).max(1);
        }
        if Duration::from_millis(frames * FRAME_MS) > limit {
            return Ok(None);
        }
    }
    Ok(Some(Duration::from_millis(frames * FRAME_MS)))
}
