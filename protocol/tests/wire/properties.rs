//! Every value of a body type encodes to JSON that decodes to the same value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use protocol::field::Field;
use protocol::go_json;
use protocol::info::{ConfigInfo, Features, Info};
use protocol::job_payload::*;
use protocol::job_request::{JobRequest, Session};
use protocol::job_update::{JobUpdate, Output};
use protocol::runners::*;
use protocol::secrets::{Secret, Vault, VaultEngine, VaultServer};
use protocol::{UpdateState, WireTime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn field<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Field<T>> {
    prop_oneof![
        1 => Just(()).prop_map(|()| Field::Absent),
        1 => Just(()).prop_map(|()| Field::Null),
        4 => value.prop_map(Field::Value),
    ]
}

/// Text with everything that JSON must escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z_0-9]{0,12}", 1 => any::<String>()]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..4)
}

fn json_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

fn features() -> impl Strategy<Value = Features> {
    vec(any::<bool>(), Features::NAMES.len()).prop_map(|on| {
        let mut features = Features::default();
        for (name, on) in Features::NAMES.iter().zip(on) {
            assert!(features.set(name, on));
        }
        features
    })
}

fn info() -> impl Strategy<Value = Info> {
    (vec(text(), 8), features(), btree_map(text(), text(), 0..3)).prop_map(
        |(texts, features, labels)| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().unwrap_or_default();
            Info {
                name: next(),
                version: next(),
                revision: next(),
                platform: next(),
                architecture: next(),
                executor: next(),
                shell: next(),
                features,
                config: ConfigInfo { gpus: next() },
                labels,
            }
        },
    )
}

fn job_info() -> impl Strategy<Value = JobInfo> {
    // Eighths: serde_json reads longer fractions with an error in the last bit.
    let seconds = (0..1_000_000_i32).prop_map(|eighths| f64::from(eighths) / 8.0);
    let ids = (
        field(any::<i64>()),
        field(any::<i64>()),
        field(any::<i64>()),
    );
    let names = (field(text()), field(text()), field(text()), field(text()));
    (ids, names, field(seconds)).prop_map(|(ids, names, seconds)| JobInfo {
        id: ids.0,
        pipeline_id: ids.1,
        scoped_user_id: ids.2,
        name: names.0,
        stage: names.1,
        instance_id: names.2,
        project_jobs_running_on_instance_runners_count: names.3,
        time_in_queue_seconds: seconds,
        ..JobInfo::default()
    })
}

fn git_info() -> impl Strategy<Value = GitInfo> {
    (
        field(text()),
        field(text()),
        field(texts()),
        field(any::<i64>()),
        field(any::<bool>()),
    )
        .prop_map(|(ref_, sha, refspecs, depth, protected)| GitInfo {
            ref_,
            sha,
            refspecs,
            depth,
            protected,
            ..GitInfo::default()
        })
}

fn variable() -> impl Strategy<Value = Variable> {
    (
        field(text()),
        field(text()),
        field(any::<bool>()),
        field(any::<bool>()),
        field(any::<bool>()),
    )
        .prop_map(|(key, value, public, masked, file)| Variable {
            key,
            value,
            public,
            masked,
            file,
            raw: Field::Absent,
        })
}

fn input() -> impl Strategy<Value = JobInput> {
    let value = prop_oneof![
        text().prop_map(|text| ("string", Value::from(text))),
        any::<i64>().prop_map(|number| ("number", Value::from(number))),
        any::<bool>().prop_map(|on| ("boolean", Value::from(on))),
        vec(json_scalar(), 0..3).prop_map(|items| ("array", Value::from(items))),
        btree_map(text(), json_scalar(), 0..3)
            .prop_map(|members| ("struct", Value::Object(members.into_iter().collect()))),
    ];
    ("[a-z]{1,8}", value, field(any::<bool>())).prop_map(|(key, (type_, content), sensitive)| {
        JobInput {
            key: key.into(),
            value: InputValue {
                type_: type_.into(),
                content: content.into(),
                sensitive,
            }
            .into(),
        }
    })
}

fn executor_opts() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let user = prop_oneof![
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    (text(), user).prop_map(|(platform, user)| {
        BTreeMap::from([(
            "docker".to_owned(),
            serde_json::json!({ "platform": platform, "user": user }),
        )])
    })
}

fn image() -> impl Strategy<Value = Image> {
    (
        field(text()),
        field(texts()),
        field(executor_opts()),
        field(texts()),
    )
        .prop_map(|(name, entrypoint, executor_opts, pull_policy)| Image {
            name,
            entrypoint,
            executor_opts,
            pull_policy,
            ports: Vec::new().into(),
        })
}

fn service() -> impl Strategy<Value = Service> {
    (
        field(text()),
        field(texts()),
        field(vec(variable(), 0..3)),
        field(executor_opts()),
    )
        .prop_map(|(alias, command, variables, executor_opts)| Service {
            alias,
            command,
            variables,
            executor_opts,
            ..Service::default()
        })
}

fn secrets() -> impl Strategy<Value = BTreeMap<String, Secret>> {
    let vault = (field(text()), field(text()), field(text())).prop_map(|(url, path, name)| Vault {
        server: VaultServer {
            url,
            ..VaultServer::default()
        }
        .into(),
        engine: VaultEngine {
            name,
            path: Field::Null,
        }
        .into(),
        path,
        field: Field::Absent,
    });
    let secret = (field(vault), field(any::<bool>())).prop_map(|(vault, file)| Secret {
        vault,
        file,
        ..Secret::default()
    });
    btree_map(text(), secret, 0..3)
}

fn payload() -> impl Strategy<Value = JobPayload> {
    let step =
        (field(text()), field(texts()), field(any::<i64>())).prop_map(|(name, script, timeout)| {
            Step {
                name,
                script,
                timeout,
                ..Step::default()
            }
        });
    let head = (field(any::<i64>()), field(text()), field(any::<bool>()));
    let objects = (field(job_info()), field(git_info()), field(image()));
    let lists = (
        field(vec(variable(), 0..4)),
        field(vec(step, 0..3)),
        field(vec(input(), 0..3)),
        field(vec(service(), 0..3)),
    );
    let run = prop_oneof![
        Just(()).prop_map(|()| Field::Absent),
        Just(()).prop_map(|()| Field::from("[{\"name\":\"a\"}]")),
    ];
    (head, objects, lists, field(secrets()), run).prop_map(
        |(head, objects, lists, secrets, run)| JobPayload {
            id: head.0,
            token: head.1,
            allow_git_fetch: head.2,
            job_info: objects.0,
            git_info: objects.1,
            image: objects.2,
            variables: lists.0,
            steps: lists.1,
            inputs: lists.2,
            services: lists.3,
            secrets,
            run,
            ..JobPayload::default()
        },
    )
}

fn request() -> impl Strategy<Value = JobRequest> {
    let session = (text(), text(), text()).prop_map(|(url, certificate, authorization)| Session {
        url,
        certificate,
        authorization,
    });
    (info(), text(), text(), text(), option::of(session)).prop_map(
        |(info, token, system_id, last_update, session)| JobRequest {
            info,
            token,
            system_id,
            last_update,
            session,
        },
    )
}

fn update() -> impl Strategy<Value = JobUpdate> {
    let state = prop_oneof![
        Just(UpdateState::Pending),
        Just(UpdateState::Running),
        Just(UpdateState::Success),
        Just(UpdateState::Failed)
    ];
    (info(), vec(text(), 4), state, any::<u64>(), any::<i32>()).prop_map(
        |(info, texts, state, bytesize, exit_code)| JobUpdate {
            token: texts[0].clone(),
            failure_reason: texts[1].clone(),
            checksum: texts[2].clone(),
            output: Output {
                checksum: texts[2].clone(),
                bytesize,
            },
            exit_code,
            runtime_environment_key: texts[3].clone(),
            ..JobUpdate::new(info, "", state)
        },
    )
}

fn register() -> impl Strategy<Value = RegisterRequest> {
    (vec(text(), 5), vec(any::<bool>(), 3), any::<i64>(), info()).prop_map(
        |(texts, on, maximum_timeout, info)| RegisterRequest {
            description: texts[0].clone(),
            maintenance_note: texts[1].clone(),
            tag_list: texts[2].clone(),
            access_level: texts[3].clone(),
            token: texts[4].clone(),
            run_untagged: on[0],
            locked: on[1],
            paused: on[2],
            maximum_timeout,
            info,
        },
    )
}

fn create_runner() -> impl Strategy<Value = CreateRunnerRequest> {
    (
        vec(text(), 3),
        vec(any::<bool>(), 3),
        option::of(any::<i64>()),
        any::<i64>(),
    )
        .prop_map(|(texts, on, id, maximum_timeout)| CreateRunnerRequest {
            runner_type: texts[0].clone(),
            group_id: id,
            description: texts[1].clone(),
            tag_list: texts[2].clone(),
            paused: on[0],
            locked: on[1],
            run_untagged: on[2],
            maximum_timeout,
            ..CreateRunnerRequest::default()
        })
}

fn expiry() -> impl Strategy<Value = Field<WireTime>> {
    // GitLab's years; milliseconds are all that is written.
    field((0..4_102_444_800_000_i64).prop_map(|milliseconds| {
        WireTime::from(jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default())
    }))
}

/// Encodes, decodes with both decoders' rules, and encodes again.
fn round_trip<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text =
        serde_json::to_string(value).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let decoded: T = go_json::from_slice(text.as_bytes())
        .map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    prop_assert_eq!(&decoded, value);
    let again =
        serde_json::to_string(&decoded).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(again, text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn payloads(value in payload()) {
        round_trip(&value)?;
    }

    #[test]
    fn job_requests(value in request()) {
        round_trip(&value)?;
    }

    #[test]
    fn job_updates(value in update()) {
        round_trip(&value)?;
    }

    #[test]
    fn registrations(value in register(), new in create_runner()) {
        round_trip(&value)?;
        round_trip(&new)?;
    }

    #[test]
    fn small_bodies(info in option::of(info()), token in text(), system_id in text(), id in any::<i64>(), at in expiry()) {
        round_trip(&VerifyRequest { info, token: token.clone(), system_id: system_id.clone() })?;
        round_trip(&TokenRequest { token: token.clone(), system_id })?;
        round_trip(&RunnerCredentials { id, token: token.clone(), token_expires_at: at.clone() })?;
        round_trip(&ResetTokenAnswer { token, token_expires_at: at })?;
    }

    /// Order of members, unknown members and the case of names do not change what is decoded.
    #[test]
    fn unknown_members_change_nothing(value in payload(), name in "x_[a-z]{1,6}", extra in json_scalar()) {
        let encoded = serde_json::to_value(&value).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let Value::Object(members) = encoded else { return Err(TestCaseError::fail("no object")) };
        let mut text = format!("{{{}:{extra}", Value::from(name));
        for (name, value) in members.into_iter().rev() {
            let name = Value::from(name.to_ascii_uppercase());
            write!(text, ",{name}:{value}").map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        text.push('}');
        let decoded: JobPayload = go_json::from_slice(text.as_bytes())
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(decoded, value);
    }

    /// No bytes at all make the decoder panic.
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = go_json::from_slice::<JobPayload>(&bytes);
    }
}
