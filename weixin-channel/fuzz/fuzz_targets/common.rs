//! JSON that is nearly right: the fuzzer's bytes choose among names and values that it would take long to find.

use std::fmt::Write as _;

use arbitrary::{Result, Unstructured};

/// More is not made.
const LONGEST: usize = 1 << 20;

/// What there is to choose from.
pub struct Choices {
    /// Names of fields.
    pub fields: &'static [&'static str],
    /// Texts, as JSON spells them, without their quotes.
    pub words: &'static [&'static str],
    /// Everything else, as JSON spells it.
    pub values: &'static [&'static str],
}

impl Choices {
    /// An object; what the bytes do not suffice for is left out.
    pub fn object(&self, u: &mut Unstructured<'_>) -> String {
        let mut out = String::new();
        if self.write_object(u, &mut out, 0).is_err() {
            // Cut off in the middle, which is worth a try as well.
            return out;
        }
        out
    }

    fn write_object(&self, u: &mut Unstructured<'_>, out: &mut String, depth: usize) -> Result<()> {
        out.push('{');
        let mut comma = false;
        while !u.is_empty() && u.ratio(7, 8)? {
            if std::mem::replace(&mut comma, true) {
                out.push(',');
            }
            let _ = write!(out, "\"{}\":", u.choose(self.fields)?);
            self.write_value(u, out, depth)?;
        }
        out.push('}');
        Ok(())
    }

    fn write_value(&self, u: &mut Unstructured<'_>, out: &mut String, depth: usize) -> Result<()> {
        let choices = if depth > 12 || out.len() > LONGEST { 3 } else { 7_u8 };
        match u.int_in_range(0..=choices)? {
            0 => out.push_str(u.choose(self.values)?),
            1 => {
                let _ = write!(out, "{}", u.arbitrary::<i64>()?);
            }
            2 => {
                let _ = write!(out, "\"{}\"", u.choose(self.words)?);
            }
            3 => {
                let text: &str = u.arbitrary()?;
                out.push_str(&serde_json::to_string(text).unwrap_or_default());
            }
            4 => {
                // A long text.
                let (word, times) = (*u.choose(self.words)?, u.int_in_range(1..=5_000)?);
                let times = times.min((LONGEST - out.len().min(LONGEST)) / (word.len() + 1));
                let _ = write!(out, "\"{}\"", word.repeat(times));
            }
            5 => {
                out.push('[');
                let mut comma = false;
                while !u.is_empty() && u.ratio(2, 3)? {
                    if std::mem::replace(&mut comma, true) {
                        out.push(',');
                    }
                    self.write_value(u, out, depth + 1)?;
                }
                out.push(']');
            }
            _ => self.write_object(u, out, depth + 1)?,
        }
        Ok(())
    }
}
