//! The indexed queue against a model that sorts everything for every poll.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Cursor, Matcher, Queue, Scope, Snapshot};
use crate::world::text::Text;
use crate::world::{GroupId, JobId, ProjectId};

/// A waiting job of the model.
#[derive(Clone, Debug)]
struct Entry {
    project: ProjectId,
    protected: bool,
    tags: Vec<Text>,
    instance: bool,
    traversal: Vec<GroupId>,
}

/// Everything in plain maps.
#[derive(Default)]
struct Model {
    entries: BTreeMap<JobId, Entry>,
    running: BTreeMap<ProjectId, u32>,
    unfair: bool,
}

impl Model {
    /// queueing.md 3 and 4, word by word.
    fn order(&self, runner: &RunnerSpec) -> Vec<JobId> {
        let mut found: Vec<(u32, JobId)> = self
            .entries
            .iter()
            .filter(|(_, entry)| match &runner.scope {
                ScopeSpec::Instance => entry.instance,
                ScopeSpec::Group(group) => entry.traversal.contains(group),
                ScopeSpec::Projects(projects) => projects.contains(&entry.project),
            })
            .filter(|(_, entry)| entry.protected || !runner.protected_only)
            .filter(|(_, entry)| entry.tags.iter().all(|tag| runner.tags.contains(tag)))
            .filter(|(_, entry)| runner.run_untagged || !entry.tags.is_empty())
            .map(|(id, entry)| {
                let fair = matches!(runner.scope, ScopeSpec::Instance) && !self.unfair;
                let running = self.running.get(&entry.project).copied().unwrap_or(0);
                (if fair { running } else { 0 }, *id)
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }
}

#[derive(Clone, Debug)]
enum ScopeSpec {
    Instance,
    Group(GroupId),
    Projects(Vec<ProjectId>),
}

#[derive(Clone, Debug)]
struct RunnerSpec {
    scope: ScopeSpec,
    tags: Vec<Text>,
    run_untagged: bool,
    protected_only: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Add(JobId, Entry),
    Remove(JobId),
    Running(ProjectId, bool),
    Rewrite(ProjectId, Option<bool>, Option<Vec<GroupId>>),
    Fair(bool),
    /// Index of a runner, and how many candidates are taken before the rest is.
    Poll(usize, usize),
}

fn tags() -> impl Strategy<Value = Vec<Text>> {
    proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3)
        .prop_map(|tags| tags.into_iter().map(Text::from).collect())
}

fn traversal() -> impl Strategy<Value = Vec<GroupId>> {
    prop_oneof![
        Just(vec![]),
        Just(vec![1]),
        Just(vec![1, 2]),
        Just(vec![1, 2, 3]),
        Just(vec![4])
    ]
}

fn runner() -> impl Strategy<Value = RunnerSpec> {
    let scope = prop_oneof![
        3 => Just(ScopeSpec::Instance),
        1 => (1..5_i64).prop_map(ScopeSpec::Group),
        1 => proptest::sample::subsequence(vec![1_i64, 2, 3, 4], 1..4)
            .prop_map(ScopeSpec::Projects),
    ];
    (scope, tags(), any::<bool>(), any::<bool>()).prop_map(
        |(scope, tags, run_untagged, protected_only)| RunnerSpec {
            scope,
            tags,
            run_untagged,
            protected_only,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let entry = (1..5_i64, any::<bool>(), tags(), any::<bool>(), traversal()).prop_map(
        |(project, protected, tags, instance, traversal)| Entry {
            project,
            protected,
            tags,
            instance,
            traversal,
        },
    );
    prop_oneof![
        8 => (1..60_i64, entry).prop_map(|(id, entry)| Op::Add(id, entry)),
        3 => (1..60_i64).prop_map(Op::Remove),
        3 => (1..5_i64, any::<bool>()).prop_map(|(project, more)| Op::Running(project, more)),
        1 => (1..5_i64, any::<Option<bool>>(), proptest::option::of(traversal()))
            .prop_map(|(project, instance, traversal)| Op::Rewrite(project, instance, traversal)),
        1 => any::<bool>().prop_map(Op::Fair),
        6 => (0..4_usize, 0..8_usize).prop_map(|(runner, taken)| Op::Poll(runner, taken)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random worlds and steps: every poll sees exactly the order of the model.
    ///
    /// Proves QUE-V01, QUE-V04, QUE-V07, QUE-V08, QUE-V09, QUE-V12.
    #[test]
    fn the_index_equals_the_model(
        runners in proptest::collection::vec(runner(), 4),
        ops in proptest::collection::vec(op(), 1..120),
    ) {
        let mut queue = Queue::new();
        let mut model = Model::default();
        let mut matchers: Vec<Matcher> = runners
            .iter()
            .map(|r| Matcher::new(r.tags.clone(), r.run_untagged, r.protected_only))
            .collect();
        for op in ops {
            match op {
                Op::Add(id, entry) => {
                    queue.add(id, Snapshot {
                        project: entry.project,
                        protected: entry.protected,
                        tags: &entry.tags,
                        instance_runners_enabled: entry.instance,
                        traversal: &entry.traversal,
                    });
                    model.entries.entry(id).or_insert(entry);
                }
                Op::Remove(id) => {
                    prop_assert_eq!(queue.remove(id), model.entries.remove(&id).is_some());
                }
                Op::Running(project, more) => {
                    queue.change_running(project, more);
                    let count = model.running.entry(project).or_default();
                    *count = if more { *count + 1 } else { count.saturating_sub(1) };
                }
                Op::Rewrite(project, instance, traversal) => {
                    queue.rewrite(project, instance, traversal.as_deref());
                    for entry in model.entries.values_mut().filter(|e| e.project == project) {
                        entry.instance = instance.unwrap_or(entry.instance);
                        if let Some(traversal) = &traversal {
                            entry.traversal.clone_from(traversal);
                        }
                    }
                }
                Op::Fair(fair) => {
                    queue.set_fair(fair);
                    model.unfair = !fair;
                }
                Op::Poll(index, taken) => {
                    let spec = &runners[index];
                    let scope = match &spec.scope {
                        ScopeSpec::Instance => Scope::Instance,
                        ScopeSpec::Group(group) => Scope::Group(*group),
                        ScopeSpec::Projects(projects) => Scope::Projects(projects),
                    };
                    let expected = model.order(spec);
                    let matcher = &mut matchers[index];
                    prop_assert_eq!(queue.eligible(matcher, scope), expected.len());
                    let mut cursor = Cursor::new(&queue, matcher, scope);
                    let mut seen = cursor.take(&queue, taken);
                    seen.extend(cursor.take(&queue, usize::MAX));
                    prop_assert_eq!(seen, expected);
                }
            }
            prop_assert_eq!(queue.len(), model.entries.len());
        }
    }
}
