//! Free ports for what a recorded session did at a fixed one, such as the metrics of a runner.

use std::io;
use std::net::TcpListener;
use std::sync::Mutex;

/// Ports that are tried: below those that systems give to connections, so none of them can be taken by
/// one between the choice and its use.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// Chooses a port on which nobody listens. No port is chosen twice by one process; another process
/// begins elsewhere.
pub fn choose() -> io::Result<u16> {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let length = RANGE.end - RANGE.start;
    let mut next = NEXT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for _ in 0..length {
        let offset = next
            .unwrap_or_else(|| (std::process::id().wrapping_mul(97) % u32::from(length)) as u16);
        *next = Some((offset + 1) % length);
        let port = RANGE.start + offset;
        // On all addresses, as a recorded `:9252` does.
        if TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let (one, other) = (choose().expect("port"), choose().expect("port"));
        assert_ne!(one, other);
        assert!(RANGE.contains(&one) && RANGE.contains(&other));
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = choose().expect("port");
        let next = taken + 1;
        let _held = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, next));
        assert_ne!(choose().expect("port"), next);
    }
}
