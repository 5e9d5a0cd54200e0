//! The decoder: packets in, samples out.

use super::SilkError;
use super::comfort_noise::ComfortNoise;
use super::concealment::Concealment;
use super::dequantizer::Dequantizer;
use super::high_pass::HighPass;
use super::indices::PacketParser;
use super::params::{Bandwidth, FrameIndices, MAX_FRAME, MAX_FRAMES, SignalType, Termination};
use super::range_decoder::MAX_PACKET;
use super::resampler::Resampler;
use super::synthesis::Synthesis;

/// The lag that an internal rate begins with.
const FIRST_LAG: usize = 100;

/// Decodes the packets of one voice, one after the other, in constant memory.
///
/// A frame is 20 ms, a packet one to five of them. For the same packets the samples are to the bit those of the
/// reference (SDK 1.0.9, `SKP_Silk_SDK_Decode`, called until the packet has no more frames). Only of a damaged packet,
/// which ends too early, they can differ: behind its end there are zeros, and not what older packets left in memory.
///
/// ```
/// use weixin_silk::{Decoder, PacketReader};
///
/// # fn run(file: &[u8]) -> Result<(), weixin_silk::SilkError> {
/// let mut decoder = Decoder::new(24_000)?;
/// let mut reader = PacketReader::new(file)?;
/// let mut samples = Vec::new();
/// while let Some(packet) = reader.next()? {
///     samples.clear();
///     if let Err(error) = decoder.decode(packet, &mut samples) {
///         eprintln!("{error}; it is concealed");
///     }
///     // … samples to where they go
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    sample_rate: u32,
    bandwidth: Bandwidth,
    dequantizer: Dequantizer,
    synthesis: Synthesis,
    concealment: Concealment,
    comfort_noise: ComfortNoise,
    high_pass: HighPass,
    /// The internal rate that it begins from, and itself.
    resampler: Option<(Bandwidth, Resampler)>,
    /// The lag of the last subframe.
    lag: usize,
    /// Frames of the last packet.
    frames: usize,
}

impl Decoder {
    /// For samples at 8000, 12000, 16000 or 24000 Hz.
    ///
    /// # Errors
    /// [`SilkError::SampleRate`] for any other rate.
    pub fn new(sample_rate: u32) -> Result<Self, SilkError> {
        if !Bandwidth::ALL.iter().any(|bandwidth| bandwidth.hz() == sample_rate) {
            return Err(SilkError::SampleRate(sample_rate));
        }
        let bandwidth = Bandwidth::SuperWide;
        Ok(Self {
            sample_rate,
            bandwidth,
            dequantizer: Dequantizer::default(),
            synthesis: Synthesis::new(bandwidth),
            concealment: Concealment::default(),
            comfort_noise: ComfortNoise::default(),
            high_pass: HighPass::default(),
            resampler: None,
            lag: FIRST_LAG,
            frames: 1,
        })
    }

    /// The samples of the last frame at the internal rate, which the next one is predicted from.
    #[cfg(test)]
    pub(crate) fn past(&self) -> &[i16] {
        self.synthesis.past()
    }

    /// Samples per second.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Decodes a packet and appends its samples. An empty one stands for one that was lost, or not sent in silence.
    ///
    /// # Errors
    /// [`SilkError::BadPacket`], and [`SilkError::PacketTooLong`] above 1024 bytes. A frame that cannot be decoded is
    /// concealed and ends its packet, as in the reference; the decoder goes on with the next packet.
    pub fn decode(&mut self, packet: &[u8], samples: &mut Vec<i16>) -> Result<(), SilkError> {
        if packet.is_empty() {
            self.conceal(samples);
            return Ok(());
        }
        if packet.len() > MAX_PACKET {
            self.conceal_frame(samples);
            return Err(SilkError::PacketTooLong(packet.len()));
        }
        let mut parser = PacketParser::new(packet);
        let mut pulses = [0; MAX_FRAME];
        loop {
            let first = parser.frames() == 0;
            let indices = parser.frame(&mut pulses);
            let Some(rest) = parser.rest() else {
                self.frames = (parser.frames() - 1).max(1);
                self.give_up(parser.bandwidth(), &indices);
                self.conceal_frame(samples);
                return Err(SilkError::BadPacket);
            };
            if parser.bandwidth() != self.bandwidth {
                self.change(parser.bandwidth());
            }
            self.frame(&indices, first, &pulses, samples);
            if !goes_on(&indices, rest, parser.frames()) {
                self.frames = parser.frames();
                return Ok(());
            }
        }
    }

    /// Appends samples in place of a packet that was lost: as long as the packet before it. Where one of the next two
    /// packets is there already and has a copy ([`find_fec`]), decode that instead.
    pub fn conceal(&mut self, samples: &mut Vec<i16>) {
        for _ in 0..self.frames {
            self.conceal_frame(samples);
        }
    }

    fn frame(
        &mut self,
        indices: &FrameIndices,
        first: bool,
        pulses: &[i32; MAX_FRAME],
        samples: &mut Vec<i16>,
    ) {
        let lost = self.concealment.is_active();
        let parameters = self.dequantizer.parameters(self.bandwidth, indices, first, lost);
        let voice_lost = lost && self.concealment.signal() == SignalType::Voiced;
        let mut out = [0; MAX_FRAME];
        let out = &mut out[..self.bandwidth.frame()];
        self.synthesis.frame(&parameters, pulses, voice_lost.then_some(self.lag), out);
        self.concealment.update(self.bandwidth, &parameters);
        self.concealment.glue(out);
        self.comfort_noise.update(
            self.bandwidth,
            indices.voice_active,
            &parameters,
            self.dequantizer.nlsfs(),
            &self.synthesis.excitation_q10,
        );
        self.lag = parameters.lags[parameters.lags.len() - 1];
        self.finish(out, samples);
    }

    fn conceal_frame(&mut self, samples: &mut Vec<i16>) {
        let mut out = [0; MAX_FRAME];
        let out = &mut out[..self.bandwidth.frame()];
        self.lag = self.concealment.conceal(self.bandwidth, &mut self.synthesis, out);
        self.concealment.glue(out);
        self.comfort_noise.add(self.bandwidth, out);
        self.finish(out, samples);
    }

    /// The end of every frame.
    fn finish(&mut self, out: &mut [i16], samples: &mut Vec<i16>) {
        self.high_pass.filter(self.bandwidth, out);
        if self.resampler.as_ref().is_none_or(|(from, _)| *from != self.bandwidth) {
            self.resampler =
                Resampler::new(self.bandwidth, self.sample_rate).map(|resampler| (self.bandwidth, resampler));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.process(out, samples);
        }
    }

    /// Begins another internal rate.
    fn change(&mut self, bandwidth: Bandwidth) {
        self.bandwidth = bandwidth;
        self.dequantizer = Dequantizer::default();
        self.synthesis.change(bandwidth);
        self.concealment.change();
        self.lag = FIRST_LAG;
    }

    /// What a damaged frame leaves behind, as in the reference: its frequencies, or, if it named another rate, a
    /// change there and back.
    fn give_up(&mut self, named: Bandwidth, indices: &FrameIndices) {
        if named == self.bandwidth {
            self.dequantizer.take_nlsfs(named, indices);
        } else {
            self.change(self.bandwidth);
        }
    }
}

/// True if the packet has another frame behind this one.
fn goes_on(indices: &FrameIndices, rest: &[u8], frames: usize) -> bool {
    !rest.is_empty() && indices.termination == Termination::More && frames < MAX_FRAMES
}

/// What a packet holds, without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketInfo {
    /// The internal rate: what the encoder kept of the voice's bandwidth.
    pub bandwidth: Bandwidth,
    /// Frames, 20 ms each: 1 to 5.
    pub frames: usize,
    /// True if somebody speaks in one of them.
    pub voice_active: bool,
}

impl PacketInfo {
    /// Reads the symbols of a packet. The first one names the rate; how many frames there are is known only behind
    /// the last one, so that all have to be read. Nothing is synthesized, which is most of the work of decoding.
    ///
    /// # Errors
    /// [`SilkError::BadPacket`], [`SilkError::PacketTooLong`].
    pub fn of(packet: &[u8]) -> Result<Self, SilkError> {
        match read(packet) {
            (Some(info), _) => Ok(info),
            (None, _) if packet.len() > MAX_PACKET => Err(SilkError::PacketTooLong(packet.len())),
            (None, _) => Err(SilkError::BadPacket),
        }
    }
}

/// What a packet holds if it is valid, and the number of valid frames in any case.
pub(crate) fn read(packet: &[u8]) -> (Option<PacketInfo>, usize) {
    let mut parser = PacketParser::new(packet);
    let mut pulses = [0; MAX_FRAME];
    let mut voice_active = false;
    loop {
        let indices = parser.frame(&mut pulses);
        let Some(rest) = parser.rest() else { return (None, parser.frames() - 1) };
        voice_active |= indices.voice_active;
        if !goes_on(&indices, rest, parser.frames()) {
            let (bandwidth, frames) = (parser.bandwidth(), parser.frames());
            return (Some(PacketInfo { bandwidth, frames, voice_active }), frames);
        }
    }
}

/// The copy of the packet that was sent `distance` packets (1 or 2) before this one, if this one has it: in-band
/// forward error correction (FEC, or LBRR). It is a packet itself, at a lower rate, to be decoded in place of the lost
/// one. (The reference's `SKP_Silk_SDK_search_for_LBRR`.)
#[must_use]
pub fn find_fec(packet: &[u8], distance: usize) -> Option<&[u8]> {
    let wanted = match distance {
        1 => Termination::Fec1,
        2 => Termination::Fec2,
        _ => return None,
    };
    let mut parser = PacketParser::new(packet);
    let mut pulses = [0; MAX_FRAME];
    loop {
        let termination = parser.frame(&mut pulses).termination;
        let rest = parser.rest().filter(|rest| !rest.is_empty())?;
        if termination == wanted {
            return Some(rest);
        }
        if termination != Termination::More {
            return None;
        }
    }
}
