//! Variables and inputs that a job gets when it is played or retried (GitLab's jobs API).

use serde_json::{Value, json};

use super::support::{Answer, Job, PAT, Server};

const DEFINITION: &str = "
jobs:
  - name: deploy
    when: manual
    script: ['echo ${{ job.inputs.target }}']
    inputs:
      - {key: target, value: {type: string, content: staging}}
      - {key: replicas, value: {type: number, content: 3}}
";

async fn post(server: &Server, path: &str, body: Value) -> Answer {
    let call = server.call("POST", path).header("PRIVATE-TOKEN", PAT);
    call.json(body).await
}

/// What a runner is told of the inputs, as `key=content`, and of the variable `A`.
fn told(payload: &Value) -> (Vec<String>, Option<Value>) {
    let items = |name: &str| payload[name].as_array().unwrap().clone();
    let inputs = items("inputs").into_iter().map(|input| {
        let key = input["key"].as_str().unwrap();
        format!("{key}={}", input["value"]["content"])
    });
    let a = items("variables").into_iter().rfind(|v| v["key"] == "A");
    (
        inputs.collect(),
        a.map(|variable| variable["value"].clone()),
    )
}

/// A played job has the given values, a retried one those of the job before unless it is given others,
/// and what is not an input or of another type is refused and changes nothing.
#[tokio::test]
async fn a_job_is_played_and_retried_with_other_values() {
    let server = Server::new();
    let made = json!({"ref": "main", "definition": DEFINITION});
    let pipeline = post(&server, "/projects/1/pipeline", made).await;
    assert_eq!(pipeline.status, 201, "{pipeline:?}");
    let jobs = format!("/projects/1/pipelines/{}/jobs", pipeline.json()["id"]);
    let jobs = server.call("GET", &jobs).header("PRIVATE-TOKEN", PAT);
    let id = jobs.send().await.json()[0]["id"].as_i64().unwrap();

    let play = format!("/projects/1/jobs/{id}/play");
    for (inputs, error) in [
        (
            json!({"nothing": 1}),
            "`nothing` is not an input of the job",
        ),
        (
            json!({"replicas": "4"}),
            "`replicas` must be a value of type number",
        ),
    ] {
        let refused = post(&server, &play, json!({"job_inputs": inputs})).await;
        refused.is(400, &json!({"message": {"job_inputs": [error]}}));
    }
    let refused = post(&server, &play, json!({"job_inputs": 1})).await;
    refused.is(400, &json!({"error": "job_inputs is invalid"}));

    let changes = json!({
        "job_inputs": {"target": "prod"},
        "job_variables_attributes": [{"key": "A", "value": "b"}],
    });
    let played = post(&server, &play, changes).await;
    assert_eq!(played.json()["status"], "pending", "{played:?}");
    let payload = server.poll().await.json();
    let b = Some(json!("b"));
    assert_eq!(
        told(&payload),
        (
            vec!["target=\"prod\"".to_owned(), "replicas=3".to_owned()],
            b.clone()
        )
    );
    let job = Job {
        id,
        token: payload["token"].as_str().unwrap().to_owned(),
    };
    server.update(&job, "success", json!({})).await;

    let retry = format!("/projects/1/jobs/{id}/retry");
    let retried = post(&server, &retry, json!({"job_inputs": {"replicas": 5}})).await;
    assert_eq!(retried.status, 201, "{retried:?}");
    let payload = server.poll().await.json();
    assert_eq!(payload["id"], retried.json()["id"]);
    assert_eq!(
        told(&payload),
        (
            vec!["target=\"prod\"".to_owned(), "replicas=5".to_owned()],
            b
        )
    );
}
