//! The harness: plays scenarios between runners and servers.
