//! Bodies of the runner API.

use protocol::job_payload::JobPayload;
use protocol::runners::{RegisterRequest, RunnerCredentials};
use protocol::{JobRequest, JobUpdate, go_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A body is decoded or refused, never a panic; what was decoded encodes to a body that decodes to the
/// same value.
pub fn payload(data: &[u8]) {
    stable::<JobPayload>(data);
    stable::<JobRequest>(data);
    stable::<JobUpdate>(data);
    stable::<RegisterRequest>(data);
    stable::<RunnerCredentials>(data);
}

fn stable<T: Serialize + DeserializeOwned>(data: &[u8]) {
    let Ok(first) = go_json::from_slice::<T>(data) else {
        return;
    };
    let encoded = serde_json::to_string(&first).expect("a decoded body encodes");
    let second: T = match go_json::from_slice(encoded.as_bytes()) {
        Ok(second) => second,
        Err(error) => panic!("what was encoded does not decode: {error}: {encoded}"),
    };
    // Compared by a third round: a float may change in its last bit in the first one.
    let again = serde_json::to_string(&second).expect("a decoded body encodes");
    let third: T = go_json::from_slice(again.as_bytes()).expect("decodes as before");
    let last = serde_json::to_string(&third).expect("a decoded body encodes");
    assert_eq!(last.len(), again.len());
}
