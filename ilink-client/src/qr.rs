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

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str =
        "https://liteapp.weixin.qq.com/q/7GiQu1?qrcode=fakeqrec8fa5b8118a106f7524f7c2&bot_type=3";

    fn code() -> LoginCode {
        serde_json::from_value(serde_json::json!({ "url": LINK, "number": 1 })).unwrap()
    }

    /// What a phone's camera makes of a picture.
    fn scan(width: usize, height: usize, dark: impl Fn(usize, usize) -> bool) -> String {
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(
                width,
                height,
                |x, y| if dark(x, y) { 0 } else { 255 },
            );
        let grids = image.detect_grids();
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_terminal_drawing_can_be_scanned() {
        let drawn = code().to_terminal().unwrap();
        let lines: Vec<Vec<char>> = drawn
            .lines()
            .map(|line| {
                line.trim_start_matches("\x1b[38;5;16;48;5;231m")
                    .trim_end_matches("\x1b[0m")
                    .chars()
                    .collect()
            })
            .collect();
        // Each character is two modules, one above the other; black is drawn. Enlarged, as a screen does.
        let scale = 6;
        let dark = |x: usize, y: usize| {
            let (x, y) = (x / scale, y / scale);
            match (lines[y / 2][x], y % 2) {
                ('█', _) | ('▀', 0) | ('▄', 1) => true,
                (' ' | '▀' | '▄', _) => false,
                (other, _) => panic!("{other:?} in a QR code"),
            }
        };
        assert_eq!(scan(lines[0].len() * scale, lines.len() * 2 * scale, dark), LINK);
    }

    #[test]
    fn a_png_can_be_scanned() {
        let file = code().to_png(5).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (width, height) = (info.width as usize, info.height as usize);
        assert_eq!(scan(width, height, |x, y| pixels[y * width + x] < 128), LINK);
    }

    #[test]
    fn an_svg_is_a_document() {
        assert!(code().to_svg().unwrap().contains("<svg"));
    }

    #[test]
    fn a_link_that_no_code_can_hold_is_an_error() {
        let code: LoginCode =
            serde_json::from_value(serde_json::json!({ "url": "x".repeat(5_000), "number": 1 })).unwrap();
        insta::assert_snapshot!(code.to_terminal().unwrap_err(), @"the link does not fit into a QR code (data too long): open it instead");
    }
}
