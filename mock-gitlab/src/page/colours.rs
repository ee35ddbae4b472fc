//! The palette. Text can be read on what it stands on: at least 4.5 : 1, as WCAG 2 (1.4.3) asks for.

use std::fmt::Write as _;

/// Red, green, blue.
type Colour = [u8; 3];

/// Names and values of the custom properties of `page.css`, light and dark.
const THEMES: [(&str, Colour, Colour); 12] = [
    ("back", [0xff, 0xff, 0xff], [0x16, 0x18, 0x1d]),
    ("panel", [0xf4, 0xf5, 0xf7], [0x20, 0x23, 0x2a]),
    ("rule", [0xc9, 0xcd, 0xd4], [0x3c, 0x41, 0x4b]),
    ("text", [0x1c, 0x1f, 0x24], [0xe6, 0xe8, 0xec]),
    ("quiet", [0x55, 0x5b, 0x66], [0xa9, 0xaf, 0xba]),
    ("link", [0x0b, 0x57, 0xb8], [0x8a, 0xbd, 0xff]),
    ("good", [0x17, 0x6b, 0x32], [0x6f, 0xd3, 0x8c]),
    ("bad", [0xb4, 0x1d, 0x1d], [0xff, 0x96, 0x8f]),
    ("busy", [0x0b, 0x57, 0xb8], [0x8a, 0xbd, 0xff]),
    ("wait", [0x8a, 0x50, 0x00], [0xf2, 0xb8, 0x5c]),
    ("idle", [0x55, 0x5b, 0x66], [0xa9, 0xaf, 0xba]),
    ("focus", [0x0b, 0x57, 0xb8], [0x8a, 0xbd, 0xff]),
];
/// Behind a log, in both themes.
const LOG: Colour = [0x14, 0x15, 0x18];
/// The sixteen colours that have names.
const NAMED: [Colour; 16] = [
    [0x8f, 0x95, 0xa0],
    [0xff, 0x7b, 0x72],
    [0x5f, 0xd0, 0x7f],
    [0xe5, 0xc0, 0x6b],
    [0x79, 0xb8, 0xff],
    [0xe0, 0x9c, 0xf0],
    [0x56, 0xd4, 0xdd],
    [0xd8, 0xdb, 0xe0],
    [0xa4, 0xaa, 0xb5],
    [0xff, 0xa1, 0x98],
    [0x8d, 0xe8, 0xa4],
    [0xff, 0xdd, 0x8f],
    [0xa5, 0xcf, 0xff],
    [0xf0, 0xc0, 0xfb],
    [0x86, 0xea, 0xf0],
    [0xff, 0xff, 0xff],
];

/// Rules for the themes and for the colours of logs.
pub(super) fn style_sheet() -> String {
    let mut css = String::new();
    let theme = |pick: fn(&(&str, Colour, Colour)) -> Colour| {
        let mut properties = String::new();
        for entry in &THEMES {
            let _ = write!(properties, "--{}:{};", entry.0, hex(pick(entry)));
        }
        properties
    };
    let (light, dark) = (theme(|entry| entry.1), theme(|entry| entry.2));
    let _ = writeln!(
        css,
        ":root{{color-scheme:light dark;{light}--log:{};}}",
        hex(LOG)
    );
    let _ = writeln!(css, "@media (prefers-color-scheme:dark){{:root{{{dark}}}}}");
    for number in 0..=255 {
        let _ = writeln!(css, ".f{number}{{color:{}}}", hex(foreground(number)));
        let (behind, text) = background(number);
        let _ = writeln!(
            css,
            ".g{number}{{background:{};color:{}}}",
            hex(behind),
            hex(text)
        );
    }
    css
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A colour of the 256 as xterm has it.
fn xterm(number: u8) -> Colour {
    match number {
        0..=15 => NAMED[usize::from(number)],
        16..=231 => {
            let step = |value: u8| if value == 0 { 0 } else { 55 + 40 * value };
            let cube = number - 16;
            [step(cube / 36), step(cube / 6 % 6), step(cube % 6)]
        }
        232..=255 => [8 + 10 * (number - 232); 3],
    }
}

/// A colour of text, made lighter until it can be read on a log.
fn foreground(number: u8) -> Colour {
    let mut colour = xterm(number);
    while contrast(colour, LOG) < 4.5 {
        colour = colour.map(|channel| channel.saturating_add(8));
    }
    colour
}

/// A colour behind text, and the text on it: black or white, whichever can be read. Names stand for the
/// darker colours that terminals have behind text.
fn background(number: u8) -> (Colour, Colour) {
    let behind = match number {
        0 => [0x3a, 0x3f, 0x4b],
        1..=6 => xterm(number).map(|channel| channel / 2),
        number => xterm(number),
    };
    let (black, white) = ([0; 3], [0xff; 3]);
    if contrast(black, behind) >= contrast(white, behind) {
        (behind, black)
    } else {
        (behind, white)
    }
}

/// Contrast as WCAG 2 defines it, 1 to 21.
fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(colour: Colour) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_read() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        let pick = |name: &str| THEMES.iter().find(|theme| theme.0 == name).unwrap();
        for back in ["back", "panel"] {
            let back = pick(back);
            for (name, light, dark) in &THEMES {
                if ["back", "panel", "rule"].contains(name) {
                    continue;
                }
                for (text, behind) in [(*light, back.1), (*dark, back.2)] {
                    let seen = contrast(text, behind);
                    assert!(seen >= 4.5, "{name} on {}: {seen}", back.0);
                }
            }
        }
        for number in 0..=255 {
            assert!(contrast(foreground(number), LOG) >= 4.5, "f{number}");
            let (behind, text) = background(number);
            assert!(contrast(text, behind) >= 4.5, "g{number}");
        }
    }

    #[test]
    fn xterm_colours() {
        assert_eq!(xterm(16), [0, 0, 0]);
        assert_eq!(xterm(208), [255, 135, 0]);
        assert_eq!(xterm(231), [255; 3]);
        assert_eq!(xterm(232), [8; 3]);
    }
}
