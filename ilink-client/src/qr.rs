//! Draws the login code (feature `qr`).

use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};

use crate::error::Error;
use crate::login::LoginCode;

/// The white frame that readers need, in modules.
const QUIET_ZONE: usize = 4;

impl LoginCode {
    /// The code for a terminal, two modules per character. Its colours are set by escape sequences, so that it
    /// is black on white on a dark terminal as on a light one.
    ///
    /// # Errors
    /// If the link is too long for any QR code.
    pub fn to_terminal(&self) -> Result<String, Error> {
        const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
        let drawn = self.encode()?.render::<unicode::Dense1x2>().build();
        Ok(drawn.lines().fold(String::new(), |all, line| all + BLACK_ON_WHITE + line + "\x1b[0m\n"))
    }

    /// The code as an SVG document.
    ///
    /// # Errors
    /// If the link is too long for any QR code.
    pub fn to_svg(&self) -> Result<String, Error> {
        Ok(self.encode()?.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
    }

    /// The code as a PNG file, black on white, `scale` pixels per module.
    ///
    /// # Errors
    /// If the link is too long for any QR code.
    pub fn to_png(&self, scale: u8) -> Result<Vec<u8>, Error> {
        let code = self.encode()?;
        let scale = usize::from(scale.max(1));
        let side = (code.width() + 2 * QUIET_ZONE) * scale;
        let colors = code.to_colors();
        let white = |x: usize, y: usize| {
            let module =
                |at: usize| (at / scale).checked_sub(QUIET_ZONE).filter(|&module| module < code.width());
            match (module(x), module(y)) {
                (Some(x), Some(y)) => colors[y * code.width() + x] == qrcode::Color::Light,
                _ => true,
            }
        };
        let pixels: Vec<u8> =
            (0..side * side).map(|at| if white(at % side, at / side) { 255 } else { 0 }).collect();
        let unusable =
            |error: png::EncodingError| Error::invalid("the code cannot be drawn").with_source(error);
        let side = u32::try_from(side).unwrap_or(u32::MAX);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().map_err(unusable)?;
        writer.write_image_data(&pixels).map_err(unusable)?;
        writer.finish().map_err(unusable)?;
        Ok(file)
    }

    fn encode(&self) -> Result<QrCode, Error> {
        // A low level keeps the code small enough for a terminal; a screen has no scratches.
        QrCode::with_error_correction_level(&self.url, EcLevel::L).map_err(|error| {
            Error::invalid(format!("the link does not fit into a QR code ({error}): open it instead"))
        })
    }
}
