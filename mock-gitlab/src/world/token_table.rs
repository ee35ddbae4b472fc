//! Who has which token, found in a time that tells nothing about the tokens that there are.
//!
//! A sorted map of tokens would compare what it is asked for with real tokens, byte by byte from the
//! front, so the time of a refusal would tell how far a guess is right. Here a keyed hash of the token is
//! looked up, whose order nobody outside can know, and then the whole token is compared.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};

use super::runners::same;
use super::text::Text;

/// Tokens and whose they are.
#[derive(Clone, Debug)]
pub(super) struct TokenTable<T> {
    key: u128,
    /// Tokens by hash. More than one under a hash is as good as never seen.
    entries: BTreeMap<u64, Vec<(Text, T)>>,
}

impl<T: Copy> TokenTable<T> {
    /// An empty table; `key` is the secret of the hash.
    pub(super) fn new(key: u128) -> TokenTable<T> {
        TokenTable {
            key,
            entries: BTreeMap::new(),
        }
    }

    /// The secret of the hash.
    pub(super) fn key(&self) -> u128 {
        self.key
    }

    /// Another secret: every token is put in anew.
    pub(super) fn set_key(&mut self, key: u128) {
        let before = std::mem::replace(self, TokenTable::new(key));
        for (token, owner) in before.entries.into_values().flatten() {
            self.insert(token, owner);
        }
    }

    pub(super) fn get(&self, token: &str) -> Option<T> {
        let found = self.entries.get(&self.hash(token))?;
        let entry = found.iter().find(|(known, _)| same(known, token))?;
        Some(entry.1)
    }

    /// All tokens, in no order that means anything.
    pub(super) fn all(&self) -> impl Iterator<Item = (Text, T)> {
        self.entries.values().flatten().cloned()
    }

    /// Adds a token, or gives it to somebody else.
    pub(super) fn insert(&mut self, token: Text, owner: T) {
        let hash = self.hash(&token);
        let entries = self.entries.entry(hash).or_default();
        entries.retain(|(known, _)| !same(known, &token));
        entries.push((token, owner));
    }

    pub(super) fn remove(&mut self, token: &str) {
        let hash = self.hash(token);
        if let Some(entries) = self.entries.get_mut(&hash) {
            entries.retain(|(known, _)| !same(known, token));
            if entries.is_empty() {
                self.entries.remove(&hash);
            }
        }
    }

    fn hash(&self, token: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u128(self.key);
        hasher.write(token.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_and_go() {
        let mut table = TokenTable::new(7);
        table.insert(Text::from("one"), 1);
        table.insert(Text::from("two"), 2);
        table.insert(Text::from("one"), 3);
        assert_eq!((table.get("one"), table.get("two")), (Some(3), Some(2)));
        assert_eq!(
            (table.get(""), table.get("on"), table.get("onee")),
            (None, None, None)
        );
        table.remove("one");
        table.remove("none");
        assert_eq!((table.get("one"), table.get("two")), (None, Some(2)));
        assert_eq!(table.entries.len(), 1);
    }

    /// Goal: under another secret the same tokens are found, under other hashes.
    #[test]
    fn another_key() {
        let mut table = TokenTable::new(7);
        for (token, owner) in [("one", 1), ("two", 2)] {
            table.insert(Text::from(token), owner);
        }
        let before: Vec<u64> = table.entries.keys().copied().collect();
        table.set_key(8);
        assert_eq!(
            (table.key(), table.get("one"), table.get("two")),
            (8, Some(1), Some(2))
        );
        assert!(before.iter().all(|hash| !table.entries.contains_key(hash)));
    }

    /// Tokens with one hash are still told apart.
    #[test]
    fn a_collision() {
        let mut table = TokenTable::new(7);
        table.insert(Text::from("one"), 1);
        let hash = table.hash("one");
        table
            .entries
            .entry(hash)
            .or_default()
            .insert(0, (Text::from("other"), 2));
        assert_eq!(table.get("one"), Some(1));
        table.remove("one");
        assert_eq!(table.entries[&hash].len(), 1);
    }
}
