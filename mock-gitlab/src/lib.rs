#![doc = include_str!("guide.md")]

pub mod cli;
pub mod clock;
pub mod fault;
pub mod git;
pub mod http;
pub mod library;
pub mod mock_api;
pub mod page;
pub mod seed;
pub mod server;
pub mod vectors;
pub mod world;

pub use library::MockGitlab;
