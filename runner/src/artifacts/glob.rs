//! Patterns of paths, as Go's doublestar library reads them (RUN-ART-03): `*`, `?`, `[a-z]`, `[!a]` and
//! `{a,b}` within a component, `**` for any number of components, `\` before a character that is meant
//! literally. A leading dot is nothing special, and `d/**` matches `d` itself too.
//!
//! The crates for this (`globset`, `wax`, `fast-glob`) differ in just these points: what `**` at the end
//! matches, whether a class matches `/`, and which patterns are malformed.

use std::collections::BTreeSet;

/// A pattern that is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub(super) struct SyntaxError;

/// A pattern for whole paths without a leading slash.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(char),
    Separator,
    /// `?`.
    Any,
    /// `*`.
    Star,
    /// `[…]`.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `**` as a component of its own.
    Tree,
    /// `{…}`.
    Choice(Vec<Vec<Token>>),
}

/// How a position in the path was reached. `**` may stand for no component at all, and then one of the
/// separators around it stands for nothing too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Plain,
    /// After a `**` that matched nothing.
    EmptyTree,
    /// After a separator of the pattern where the path has ended.
    BeyondEnd,
    /// After a `**` there.
    TreeBeyondEnd,
}

type Positions = BTreeSet<(usize, Reached)>;

impl Pattern {
    /// Reads a pattern.
    pub(super) fn new(text: &str) -> Result<Pattern, SyntaxError> {
        let chars: Vec<char> = text.chars().collect();
        let mut parser = Parser {
            chars: &chars,
            at: 0,
        };
        let tokens = parser.sequence(true, None)?;
        Ok(Pattern { tokens })
    }

    /// Whether the whole of `path` matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let start = Positions::from([(0, Reached::Plain)]);
        let end = advance(&self.tokens, start, &path);
        [Reached::Plain, Reached::EmptyTree, Reached::TreeBeyondEnd]
            .iter()
            .any(|reached| end.contains(&(path.len(), *reached)))
    }

    /// The most components that a path can have that matches; `None`: no limit.
    pub(super) fn depth(&self) -> Option<usize> {
        separators(&self.tokens).map(|count| count + 1)
    }
}

fn separators(tokens: &[Token]) -> Option<usize> {
    let mut count = 0;
    for token in tokens {
        count += match token {
            Token::Tree => return None,
            Token::Separator => 1,
            Token::Choice(ways) => {
                let mut most = 0;
                for way in ways {
                    most = most.max(separators(way)?);
                }
                most
            }
            _ => 0,
        };
    }
    Some(count)
}

/// Where one can be after `tokens`, from where one can be before them.
fn advance(tokens: &[Token], mut from: Positions, path: &[char]) -> Positions {
    for token in tokens {
        let mut to = Positions::new();
        for &(at, reached) in &from {
            step(token, at, reached, path, &mut to);
        }
        from = to;
    }
    from
}

fn step(token: &Token, at: usize, reached: Reached, path: &[char], to: &mut Positions) {
    use Reached::{BeyondEnd, EmptyTree, Plain, TreeBeyondEnd};

    let here = path.get(at).copied();
    match (token, reached) {
        (Token::Choice(ways), _) => {
            for way in ways {
                to.extend(advance(way, Positions::from([(at, reached)]), path));
            }
        }
        (Token::Separator, Plain) if here == Some('/') => {
            to.insert((at + 1, Plain));
        }
        (Token::Separator, Plain) if here.is_none() && at > 0 => {
            to.insert((at, BeyondEnd));
        }
        (Token::Separator, EmptyTree) => {
            to.insert((at, Plain));
        }
        (Token::Separator, TreeBeyondEnd) => {
            to.insert((at, BeyondEnd));
        }
        (Token::Tree, BeyondEnd) => {
            to.insert((at, TreeBeyondEnd));
        }
        (Token::Tree, Plain) => {
            to.insert((at, EmptyTree));
            let ends =
                (at + 1..=path.len()).filter(|&end| matches!(path.get(end), None | Some('/')));
            to.extend(ends.map(|end| (end, Plain)));
        }
        (Token::Star, Plain) => {
            let length = path[at..].iter().take_while(|c| **c != '/').count();
            to.extend((at..=at + length).map(|end| (end, Plain)));
        }
        (Token::Any, Plain) if here.is_some_and(|c| c != '/') => {
            to.insert((at + 1, Plain));
        }
        (Token::Literal(wanted), Plain) if here == Some(*wanted) => {
            to.insert((at + 1, Plain));
        }
        (Token::Class { negated, ranges }, Plain) => {
            let fits = here.is_some_and(|c| {
                c != '/' && *negated != ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
            });
            if fits {
                to.insert((at + 1, Plain));
            }
        }
        _ => {}
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.chars.get(self.at).copied();
        self.at += usize::from(next.is_some());
        next
    }

    /// Tokens up to the end, or up to `,` or `}` within a choice. `at_start`: a separator or the start
    /// of the pattern stands before. `closed_by_separator`: within a choice, whether a separator or the
    /// end of the pattern comes after it.
    fn sequence(
        &mut self,
        mut at_start: bool,
        closed_by_separator: Option<bool>,
    ) -> Result<Vec<Token>, SyntaxError> {
        let mut tokens = Vec::new();
        while let Some(&c) = self.chars.get(self.at) {
            if closed_by_separator.is_some() && (c == ',' || c == '}') {
                return Ok(tokens);
            }
            self.at += 1;
            let token = match c {
                '\\' => Token::Literal(self.next().ok_or(SyntaxError)?),
                '/' => Token::Separator,
                '?' => Token::Any,
                '*' if self.chars.get(self.at) == Some(&'*') => {
                    self.at += 1;
                    let at_end = match self.chars.get(self.at) {
                        None | Some('/') => true,
                        Some(',' | '}') => closed_by_separator == Some(true),
                        Some(_) => false,
                    };
                    if at_start && at_end {
                        Token::Tree
                    } else {
                        Token::Star
                    }
                }
                '*' => Token::Star,
                '[' => self.class()?,
                '{' => self.choice(at_start, closed_by_separator)?,
                '}' => return Err(SyntaxError),
                c => Token::Literal(c),
            };
            at_start = token == Token::Separator;
            tokens.push(token);
        }
        match closed_by_separator {
            None => Ok(tokens),
            Some(_) => Err(SyntaxError),
        }
    }

    fn choice(&mut self, at_start: bool, outer: Option<bool>) -> Result<Token, SyntaxError> {
        let after = match self.after_choice()? {
            None | Some('/') => true,
            Some(',' | '}') => outer.unwrap_or(false),
            Some(_) => false,
        };
        let mut ways = Vec::new();
        loop {
            ways.push(self.sequence(at_start, Some(after))?);
            match self.next() {
                Some(',') => {}
                Some(_) => return Ok(Token::Choice(ways)),
                None => return Err(SyntaxError),
            }
        }
    }

    /// The character behind the choice that begins here.
    fn after_choice(&self) -> Result<Option<char>, SyntaxError> {
        let mut depth = 1_u32;
        let mut at = self.at;
        while let Some(&c) = self.chars.get(at) {
            at += 1;
            match c {
                '\\' => at += 1,
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(self.chars.get(at).copied());
            }
        }
        Err(SyntaxError)
    }

    fn class(&mut self) -> Result<Token, SyntaxError> {
        let negated = matches!(self.chars.get(self.at), Some('!' | '^'));
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let low = match self.next().ok_or(SyntaxError)? {
                ']' if ranges.is_empty() => return Err(SyntaxError),
                ']' => return Ok(Token::Class { negated, ranges }),
                '-' => return Err(SyntaxError),
                '\\' => self.next().ok_or(SyntaxError)?,
                c => c,
            };
            let mut high = low;
            if self.chars.get(self.at) == Some(&'-') {
                self.at += 1;
                high = match self.next().ok_or(SyntaxError)? {
                    ']' => return Err(SyntaxError),
                    '\\' => self.next().ok_or(SyntaxError)?,
                    c => c,
                };
            }
            ranges.push((low, high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the forms of doublestar that runner.md 12 names, each with paths that match and paths that
    /// do not.
    #[test]
    fn patterns() {
        for (pattern, yes, no) in [
            ("a.txt", "a.txt", "b.txt a.txt/b a"),
            ("*.txt", "a.txt .txt .hidden.txt", "d/a.txt a.txt2"),
            ("*", "a .git", "a/b"),
            ("?.txt", "a.txt ż.txt", "ab.txt .txt /.txt"),
            ("[ab]/x", "a/x b/x", "c/x ab/x"),
            ("[!a-c]", "d", "a b c"),
            ("[^a-c]x", "dx", "ax /x"),
            ("a[/]b", "", "a/b"),
            ("[\\]]", "]", "a"),
            ("{a,b/c}/x", "a/x b/c/x", "b/x c/x"),
            ("{,a}b", "b ab", "a bb"),
            ("{a,{b,c}}d", "ad bd cd", "d abd"),
            ("\\*.txt", "*.txt", "a.txt"),
            ("\\{a,b\\}", "{a,b}", "a b"),
            ("a,b", "a,b", "a b"),
            ("**", "a a/b .git/x .", ""),
            ("**/x", "x a/x a/b/x", "ax a/xb"),
            ("d/**", "d d/a d/a/b", "dd a/d e"),
            ("d/**/*", "d/a d/a/b", "d"),
            ("d/**/x", "d/x d/a/x d/a/b/x", "d x d/xa d/x/y"),
            ("d/**/**", "d d/a d/a/b", "e"),
            ("**/d/**", "d d/a b/d b/d/a", "bd/a"),
            ("a**b", "ab axb", "a/b"),
            ("**a", "a xa", "x/a"),
            ("{**/x,y}", "x a/x y", "a/y"),
            ("{a/**,b}/x", "a/x a/b/x b/x", "a b/b/x"),
            ("{**,a}b", "b xb", "x/b"),
        ] {
            let parsed = Pattern::new(pattern).unwrap();
            for path in yes.split_whitespace() {
                assert!(parsed.matches(path), "{pattern} {path}");
            }
            for path in no.split_whitespace() {
                assert!(!parsed.matches(path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn malformed_patterns() {
        for pattern in [
            "[", "[a", "[]", "[]a]", "[a-]", "[-a]", "{a", "{a,", "}", "a}", "\\", "{a}}",
        ] {
            assert_eq!(Pattern::new(pattern).unwrap_err(), SyntaxError, "{pattern}");
        }
    }

    #[test]
    fn depths() {
        for (pattern, depth) in [
            ("a", Some(1)),
            ("a/*/b", Some(3)),
            ("{a/b,c}/d", Some(3)),
            ("a/**", None),
            ("{a,**/b}", None),
            ("a**", Some(1)),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().depth(), depth, "{pattern}");
        }
    }

    /// Goal: no pattern takes exponential time.
    #[test]
    fn many_stars_are_quick() {
        let pattern = Pattern::new(&format!("{}b", "**/*a*".repeat(30))).unwrap();
        assert!(!pattern.matches(&"a".repeat(300)));
    }
}
