//! HTML of a log.

use maud::{Markup, html};

use super::parse::{Block, Line, Section};
use crate::page::times;

/// The blocks of a log. Text, names and stamps are escaped by the template.
pub fn render(blocks: &[Block]) -> Markup {
    html! {
        @for block in blocks {
            @match block {
                Block::Line(line) => { (whole(line)) }
                Block::Section(section) => { (folding(section)) }
            }
        }
    }
}

fn whole(line: &Line) -> Markup {
    html! {
        div.line id={ "L" (line.number) } {
            a.number href={ "#L" (line.number) } aria-label={ "Line " (line.number) } { (line.number) }
            (content(line))
        }
    }
}

fn content(line: &Line) -> Markup {
    html! {
        @if let Some(time) = &line.time {
            // Of the day only: the date is in its title.
            time title=(time) { (time.get(11..23).unwrap_or(time)) }
        }
        span.text {
            @for piece in &line.pieces {
                @let classes = piece.style.classes();
                @if classes.is_empty() { (piece.text) } @else { span class=(classes) { (piece.text) } }
            }
        }
    }
}

fn folding(section: &Section) -> Markup {
    html! {
        details.section data-key=(section.name) open[!section.collapsed] {
            summary {
                @match &section.header {
                    Some(line) => { span.number { (line.number) } (content(line)) }
                    None => { span.number {} span.text { (section.name) } }
                }
                @if let Some(end) = section.end.filter(|_| !section.hide_duration) {
                    span.duration { (times::seconds(end.saturating_sub(section.start))) }
                }
            }
            (render(&section.body))
        }
    }
}
