//! The HTTP client against the rules of wire.md.
//!
//! What is about bytes and connections goes over real sockets of the loopback (wiremock, or a server
//! that counts connections). What is about time runs on a paused clock, over a transport in memory.

mod answers;
mod certs;
mod commands;
mod connections;
mod delivery;
mod ending;
mod headers;
mod manager;
mod memory;
mod raw;
mod redirects;
mod retries;
mod router;
mod support;
mod tls;
