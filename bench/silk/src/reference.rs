//! The reference, Skype's SDK 1.0.9 (fixed point), which the crate silk-codec builds and links.

use std::ffi::{c_int, c_void};

use silk_codec as _;

/// Above what a packet can have.
const ROOM: usize = 2048;
/// Where in the decoder's state the buffer of its range decoder is, and how long that is.
const RANGE_BUFFER: (usize, usize) = (20, 1024);

#[repr(C)]
pub struct EncoderSettings {
    pub sample_rate: i32,
    pub max_internal_rate: i32,
    pub packet_samples: c_int,
    pub bit_rate: i32,
    pub packet_loss_percent: c_int,
    pub complexity: c_int,
    pub fec: c_int,
    pub dtx: c_int,
}

#[repr(C)]
#[derive(Default)]
struct DecoderControl {
    sample_rate: i32,
    frame_size: c_int,
    frames_per_packet: c_int,
    more_frames: c_int,
    fec_offset: c_int,
}

// SKP_Silk_SDK_API.h.
unsafe extern "C" {
    fn SKP_Silk_SDK_Get_Encoder_Size(bytes: *mut i32) -> c_int;
    fn SKP_Silk_SDK_InitEncoder(state: *mut c_void, status: *mut EncoderSettings) -> c_int;
    fn SKP_Silk_SDK_Encode(
        state: *mut c_void,
        settings: *const EncoderSettings,
        samples: *const i16,
        count: c_int,
        out: *mut u8,
        bytes: *mut i16,
    ) -> c_int;
    fn SKP_Silk_SDK_Get_Decoder_Size(bytes: *mut i32) -> c_int;
    fn SKP_Silk_SDK_InitDecoder(state: *mut c_void) -> c_int;
    fn SKP_Silk_SDK_Decode(
        state: *mut c_void,
        control: *mut DecoderControl,
        lost: c_int,
        data: *const u8,
        bytes: c_int,
        samples: *mut i16,
        count: *mut i16,
    ) -> c_int;
    fn SKP_Silk_SDK_search_for_LBRR(
        data: *const u8,
        bytes: c_int,
        offset: c_int,
        out: *mut u8,
        out_bytes: *mut i16,
    );
}

/// Memory for a state, aligned for anything.
fn state(size: unsafe extern "C" fn(*mut i32) -> c_int) -> Vec<u64> {
    let mut bytes = 0;
    // SAFETY: it writes the number and nothing else.
    assert_eq!(unsafe { size(&raw mut bytes) }, 0);
    vec![0; usize::try_from(bytes).unwrap().div_ceil(8)]
}

pub struct Encoder(Vec<u64>);

impl Encoder {
    pub fn new() -> Self {
        let mut state = state(SKP_Silk_SDK_Get_Encoder_Size);
        // SAFETY: all fields are integers.
        let mut status: EncoderSettings = unsafe { std::mem::zeroed() };
        // SAFETY: the state has the size that the SDK wants.
        assert_eq!(unsafe { SKP_Silk_SDK_InitEncoder(state.as_mut_ptr().cast(), &raw mut status) }, 0);
        Self(state)
    }

    /// The packet of some samples, as many as a packet has; empty in DTX.
    pub fn encode(&mut self, settings: &EncoderSettings, samples: &[i16]) -> Vec<u8> {
        let mut packet = vec![0; ROOM];
        let mut bytes = i16::try_from(ROOM).unwrap();
        // SAFETY: the pointers are to memory of the lengths given.
        let code = unsafe {
            SKP_Silk_SDK_Encode(
                self.0.as_mut_ptr().cast(),
                settings,
                samples.as_ptr(),
                samples.len().try_into().unwrap(),
                packet.as_mut_ptr(),
                &raw mut bytes,
            )
        };
        assert_eq!(code, 0, "the reference does not encode");
        packet.truncate(usize::try_from(bytes).unwrap());
        packet
    }
}

pub struct Decoder {
    state: Vec<u64>,
    control: DecoderControl,
    /// Clear what older packets left behind the end of this one, so that damaged packets, which are read beyond their
    /// end, do not depend on it.
    clear: bool,
}

impl Decoder {
    pub fn new(sample_rate: u32, clear: bool) -> Self {
        let mut state = state(SKP_Silk_SDK_Get_Decoder_Size);
        // SAFETY: the state has the size that the SDK wants.
        assert_eq!(unsafe { SKP_Silk_SDK_InitDecoder(state.as_mut_ptr().cast()) }, 0);
        let control = DecoderControl {
            sample_rate: sample_rate.try_into().unwrap(),
            frames_per_packet: 1,
            ..DecoderControl::default()
        };
        Self { state, control, clear }
    }

    fn call(&mut self, lost: bool, packet: &[u8], out: &mut Vec<i16>) {
        let (mut samples, mut count) = ([0_i16; 960], 0_i16);
        // SAFETY: the packet is padded, the output has room for 20 ms at 48 kHz.
        unsafe {
            SKP_Silk_SDK_Decode(
                self.state.as_mut_ptr().cast(),
                &raw mut self.control,
                lost.into(),
                packet.as_ptr(),
                packet.len().try_into().unwrap(),
                samples.as_mut_ptr(),
                &raw mut count,
            )
        };
        out.extend_from_slice(&samples[..usize::try_from(count).unwrap()]);
    }

    /// As the SDK's own `Decoder` program does it: until the packet has no more frames; an empty one was lost.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) {
        if packet.is_empty() {
            // After a damaged packet the reference's number of frames can be 0.
            for _ in 0..self.control.frames_per_packet.max(1) {
                self.call(true, &[0; 4], out);
            }
            return;
        }
        if self.clear {
            let start: *mut u8 = self.state.as_mut_ptr().cast();
            // SAFETY: the range coder is the first member of the state, the buffer its last.
            unsafe { start.add(RANGE_BUFFER.0).write_bytes(0, RANGE_BUFFER.1) };
        }
        // Four bytes are read of any packet.
        let mut padded = packet.to_vec();
        padded.extend([0; 4]);
        loop {
            self.call(false, &padded[..packet.len()], out);
            if self.control.more_frames == 0 {
                return;
            }
        }
    }
}

/// The copy of an older packet in this one.
pub fn find_fec(packet: &[u8], distance: usize) -> Vec<u8> {
    let (mut out, mut bytes) = (vec![0; ROOM], 0);
    let mut padded = packet.to_vec();
    padded.extend([0; 4]);
    // SAFETY: a copy is shorter than its packet, which is shorter than the room.
    unsafe {
        SKP_Silk_SDK_search_for_LBRR(
            padded.as_ptr(),
            packet.len().try_into().unwrap(),
            distance.try_into().unwrap(),
            out.as_mut_ptr(),
            &raw mut bytes,
        )
    };
    out.truncate(usize::try_from(bytes).unwrap());
    out
}

/// A whole clip, as the SDK's own `Decoder` program does it, with the copies of lost packets.
pub fn decode_clip(packets: &[Vec<u8>], sample_rate: u32, clear: bool) -> Vec<i16> {
    let mut decoder = Decoder::new(sample_rate, clear);
    let mut out = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        let mut packet = packet.clone();
        if packet.is_empty() {
            let later = packets.iter().skip(n + 1).take(2).zip(1..);
            let copies = later.filter(|(later, _)| !later.is_empty());
            packet = copies
                .map(|(later, distance)| find_fec(later, distance))
                .find(|copy| !copy.is_empty())
                .unwrap_or_default();
        }
        decoder.decode(&packet, &mut out);
    }
    out
}
