//! The HTTP client against the rules of wire.md.
//!
//! What is about bytes and connections goes over real sockets of the loopback (wiremock, or a server
//! that counts connections). What is about time runs on a paused clock, over a transport in memory.

mod answers;
mod certs;
mod connections;
mod headers;
mod memory;
mod raw;
mod redirects;
mod retries;
mod support;
mod tls;
