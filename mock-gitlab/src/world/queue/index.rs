//! Buckets, classes and their orders.

use std::collections::{BTreeMap, BTreeSet};

use super::intern::Interner;
use crate::world::text::Text;
use crate::world::{GroupId, JobId, ProjectId};

/// Index of a class.
pub(super) type ClassId = u32;
/// Index of a bucket.
pub(super) type BucketId = u32;

/// What decides who may take a waiting job: a copy of the state when it became pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) struct Snapshot<'a> {
    pub(in crate::world) project: ProjectId,
    pub(in crate::world) protected: bool,
    /// Sorted, without duplicates.
    pub(in crate::world) tags: &'a [Text],
    pub(in crate::world) instance_runners_enabled: bool,
    /// Groups above the project whose runners may take the job.
    pub(in crate::world) traversal: &'a [GroupId],
}

/// Whose jobs a runner may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Scope<'a> {
    Instance,
    Group(GroupId),
    /// Ascending.
    Projects(&'a [ProjectId]),
}

/// What a runner accepts, with the classes that it is known to match.
///
/// Classes are only ever added, so a matcher looks at each class once. Changed settings of a runner
/// need a new matcher.
#[derive(Debug)]
pub(in crate::world) struct Matcher {
    /// Sorted.
    tags: Vec<Text>,
    run_untagged: bool,
    protected_only: bool,
    classes: Vec<ClassId>,
    seen: usize,
}

impl Matcher {
    /// A matcher for a runner with these settings; `tags` sorted.
    pub(in crate::world) fn new(
        tags: Vec<Text>,
        run_untagged: bool,
        protected_only: bool,
    ) -> Matcher {
        Matcher {
            tags,
            run_untagged,
            protected_only,
            classes: Vec::new(),
            seen: 0,
        }
    }

    /// Whether a job with this protection and these sorted tags is accepted (queueing.md 3.2-3.4).
    pub(in crate::world) fn accepts(&self, protected: bool, tags: &[Text]) -> bool {
        if self.protected_only && !protected {
            return false;
        }
        if tags.is_empty() {
            return self.run_untagged;
        }
        let mut own = self.tags.iter();
        tags.iter().all(|tag| own.any(|mine| mine == tag))
    }

    /// The same for tags in any order.
    pub(in crate::world) fn accepts_names(&self, protected: bool, tags: &[String]) -> bool {
        let mine = |tag: &String| self.tags.binary_search_by(|own| (**own).cmp(tag)).is_ok();
        (protected || !self.protected_only)
            && (self.run_untagged || !tags.is_empty())
            && tags.iter().all(mine)
    }
}

#[derive(Debug)]
pub(super) struct Class {
    protected: bool,
    tags: Vec<Text>,
    /// Buckets open to instance runners, in fair order.
    pub(super) instance: BTreeSet<(u32, JobId, BucketId)>,
    instance_jobs: usize,
    /// Buckets open to the runners of a group, by lowest id.
    pub(super) groups: BTreeMap<GroupId, GroupOrder>,
}

#[derive(Debug, Default)]
pub(super) struct GroupOrder {
    pub(super) order: BTreeSet<(JobId, BucketId)>,
    jobs: usize,
}

#[derive(Debug)]
pub(super) struct Bucket {
    key: BucketKey,
    pub(super) ids: BTreeSet<JobId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BucketKey {
    // First, so that a project's buckets stand side by side.
    project: ProjectId,
    class: ClassId,
    instance: bool,
    traversal: u32,
}

/// All waiting jobs.
#[derive(Debug)]
pub(in crate::world) struct Queue {
    fair: bool,
    tag_sets: Interner<Vec<Text>>,
    traversals: Interner<Vec<GroupId>>,
    class_ids: BTreeMap<(bool, u32), ClassId>,
    pub(super) classes: Vec<Class>,
    bucket_ids: BTreeMap<BucketKey, BucketId>,
    pub(super) buckets: Vec<Bucket>,
    free_buckets: Vec<BucketId>,
    jobs: BTreeMap<JobId, BucketId>,
    running: BTreeMap<ProjectId, u32>,
}

impl Queue {
    /// An empty queue in fair order.
    pub(in crate::world) fn new() -> Queue {
        Queue {
            fair: true,
            tag_sets: Interner::default(),
            traversals: Interner::default(),
            class_ids: BTreeMap::new(),
            classes: Vec::new(),
            bucket_ids: BTreeMap::new(),
            buckets: Vec::new(),
            free_buckets: Vec::new(),
            jobs: BTreeMap::new(),
            running: BTreeMap::new(),
        }
    }

    /// Waiting jobs.
    pub(in crate::world) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether the job waits.
    pub(in crate::world) fn contains(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// The snapshot of a waiting job.
    pub(in crate::world) fn snapshot(&self, job: JobId) -> Option<Snapshot<'_>> {
        let key = self.buckets[*self.jobs.get(&job)? as usize].key;
        let class = &self.classes[key.class as usize];
        Some(Snapshot {
            project: key.project,
            protected: class.protected,
            tags: &class.tags,
            instance_runners_enabled: key.instance,
            traversal: self.traversals.value(key.traversal),
        })
    }

    /// Adds a job that became pending. A job that already waits is left as it is.
    pub(in crate::world) fn add(&mut self, job: JobId, snapshot: Snapshot<'_>) {
        if self.jobs.contains_key(&job) {
            return;
        }
        let key = BucketKey {
            project: snapshot.project,
            class: self.class(snapshot.protected, snapshot.tags),
            instance: snapshot.instance_runners_enabled,
            traversal: self.traversals.number(snapshot.traversal),
        };
        let bucket = self.bucket(key);
        self.insert(job, bucket);
    }

    /// Removes a job; false if it did not wait.
    pub(in crate::world) fn remove(&mut self, job: JobId) -> bool {
        let Some(bucket) = self.jobs.remove(&job) else {
            return false;
        };
        let old = self.lowest(bucket);
        self.buckets[bucket as usize].ids.remove(&job);
        self.count_jobs(bucket, false);
        self.reorder(bucket, old);
        self.drop_if_empty(bucket);
        true
    }

    /// Running jobs of a project on instance runners.
    pub(in crate::world) fn running(&self, project: ProjectId) -> u32 {
        self.running.get(&project).copied().unwrap_or(0)
    }

    /// Counts one running job on an instance runner more or less.
    pub(in crate::world) fn change_running(&mut self, project: ProjectId, more: bool) {
        let old = self.running(project);
        let new = if more { old + 1 } else { old.saturating_sub(1) };
        if new == 0 {
            self.running.remove(&project);
        } else {
            self.running.insert(project, new);
        }
        if !self.fair || new == old {
            return;
        }
        let Queue {
            bucket_ids,
            buckets,
            classes,
            ..
        } = self;
        for (key, id) in bucket_ids.range(project_range(project)) {
            let lowest = buckets[*id as usize].ids.first();
            if let (true, Some(lowest)) = (key.instance, lowest) {
                let order = &mut classes[key.class as usize].instance;
                order.remove(&(old, *lowest, *id));
                order.insert((new, *lowest, *id));
            }
        }
    }

    /// Rewrites the switches of all waiting jobs of a project; `None` leaves one (queueing.md 1, UPB).
    pub(in crate::world) fn rewrite(
        &mut self,
        project: ProjectId,
        instance: Option<bool>,
        traversal: Option<&[GroupId]>,
    ) {
        let traversal = traversal.map(|groups| self.traversals.number(groups));
        let own: Vec<(BucketKey, BucketId)> = self
            .bucket_ids
            .range(project_range(project))
            .map(|(key, id)| (*key, *id))
            .collect();
        for (key, id) in own {
            let target = BucketKey {
                instance: instance.unwrap_or(key.instance),
                traversal: traversal.unwrap_or(key.traversal),
                ..key
            };
            if target == key {
                continue;
            }
            let ids: Vec<JobId> = self.buckets[id as usize].ids.iter().copied().collect();
            for job in ids {
                self.remove(job);
                let bucket = self.bucket(target);
                self.insert(job, bucket);
            }
        }
    }

    /// Switches between the fair order and plain ids for instance runners.
    pub(in crate::world) fn set_fair(&mut self, fair: bool) {
        if self.fair == fair {
            return;
        }
        for class in &mut self.classes {
            class.instance.clear();
        }
        self.fair = fair;
        let keys: Vec<(BucketKey, BucketId)> = self
            .bucket_ids
            .iter()
            .map(|(key, id)| (*key, *id))
            .collect();
        for (key, id) in keys {
            let lowest = self.lowest(id);
            if let (true, Some(lowest)) = (key.instance, lowest) {
                let count = self.order_count(key.project);
                self.classes[key.class as usize]
                    .instance
                    .insert((count, lowest, id));
            }
        }
    }

    /// Brings a matcher up to date and gives the classes that it matches, ascending.
    pub(super) fn matching<'m>(&self, matcher: &'m mut Matcher) -> &'m [ClassId] {
        for (id, class) in self.classes.iter().enumerate().skip(matcher.seen) {
            if matcher.accepts(class.protected, &class.tags) {
                matcher.classes.push(id as ClassId);
            }
        }
        matcher.seen = self.classes.len();
        &matcher.classes
    }

    /// How many waiting jobs a runner may take: `job_info.queue_size`.
    pub(in crate::world) fn eligible(&self, matcher: &mut Matcher, scope: Scope<'_>) -> usize {
        let classes = self.matching(matcher);
        match scope {
            Scope::Instance => classes
                .iter()
                .map(|class| self.classes[*class as usize].instance_jobs)
                .sum(),
            Scope::Group(group) => classes
                .iter()
                .filter_map(|class| self.classes[*class as usize].groups.get(&group))
                .map(|order| order.jobs)
                .sum(),
            Scope::Projects(projects) => self
                .project_buckets(projects, classes)
                .map(|bucket| self.buckets[bucket as usize].ids.len())
                .sum(),
        }
    }

    /// Buckets of these projects in these classes.
    pub(super) fn project_buckets<'a>(
        &'a self,
        projects: &'a [ProjectId],
        classes: &'a [ClassId],
    ) -> impl Iterator<Item = BucketId> + 'a {
        projects
            .iter()
            .flat_map(|project| self.bucket_ids.range(project_range(*project)))
            .filter(|(key, _)| classes.binary_search(&key.class).is_ok())
            .map(|(_, id)| *id)
    }

    /// The count by which an instance bucket of `project` is ordered.
    pub(super) fn order_count(&self, project: ProjectId) -> u32 {
        if self.fair { self.running(project) } else { 0 }
    }

    fn class(&mut self, protected: bool, tags: &[Text]) -> ClassId {
        let tag_set = self.tag_sets.number(tags);
        let next = self.classes.len() as ClassId;
        let id = *self.class_ids.entry((protected, tag_set)).or_insert(next);
        if id == next {
            self.classes.push(Class {
                protected,
                tags: tags.to_vec(),
                instance: BTreeSet::new(),
                instance_jobs: 0,
                groups: BTreeMap::new(),
            });
        }
        id
    }

    fn bucket(&mut self, key: BucketKey) -> BucketId {
        if let Some(id) = self.bucket_ids.get(&key) {
            return *id;
        }
        let bucket = Bucket {
            key,
            ids: BTreeSet::new(),
        };
        let id = if let Some(id) = self.free_buckets.pop() {
            self.buckets[id as usize] = bucket;
            id
        } else {
            self.buckets.push(bucket);
            (self.buckets.len() - 1) as BucketId
        };
        self.bucket_ids.insert(key, id);
        id
    }

    fn insert(&mut self, job: JobId, bucket: BucketId) {
        let old = self.lowest(bucket);
        self.jobs.insert(job, bucket);
        self.buckets[bucket as usize].ids.insert(job);
        self.count_jobs(bucket, true);
        self.reorder(bucket, old);
    }

    fn lowest(&self, bucket: BucketId) -> Option<JobId> {
        self.buckets[bucket as usize].ids.first().copied()
    }

    /// Moves a bucket in its orders after its lowest id changed from `old`.
    fn reorder(&mut self, bucket: BucketId, old: Option<JobId>) {
        let new = self.lowest(bucket);
        if old == new {
            return;
        }
        let key = self.buckets[bucket as usize].key;
        let count = self.order_count(key.project);
        let class = &mut self.classes[key.class as usize];
        if key.instance {
            if let Some(old) = old {
                class.instance.remove(&(count, old, bucket));
            }
            if let Some(new) = new {
                class.instance.insert((count, new, bucket));
            }
        }
        for group in self.traversals.value(key.traversal) {
            let order = &mut class.groups.entry(*group).or_default().order;
            if let Some(old) = old {
                order.remove(&(old, bucket));
            }
            if let Some(new) = new {
                order.insert((new, bucket));
            }
        }
    }

    fn count_jobs(&mut self, bucket: BucketId, more: bool) {
        let key = self.buckets[bucket as usize].key;
        let class = &mut self.classes[key.class as usize];
        let count = |jobs: &mut usize| {
            *jobs = if more { *jobs + 1 } else { *jobs - 1 };
        };
        if key.instance {
            count(&mut class.instance_jobs);
        }
        for group in self.traversals.value(key.traversal) {
            count(&mut class.groups.entry(*group).or_default().jobs);
        }
    }

    fn drop_if_empty(&mut self, bucket: BucketId) {
        if self.buckets[bucket as usize].ids.is_empty() {
            self.bucket_ids.remove(&self.buckets[bucket as usize].key);
            self.free_buckets.push(bucket);
        }
    }
}

fn project_range(project: ProjectId) -> std::ops::RangeInclusive<BucketKey> {
    let key = |class, instance, traversal| BucketKey {
        project,
        class,
        instance,
        traversal,
    };
    key(0, false, 0)..=key(u32::MAX, true, u32::MAX)
}
