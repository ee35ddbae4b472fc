//! A poll's view of the queue: candidates in exact order, one by one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound::{Excluded, Unbounded};

use super::index::{BucketId, ClassId, Matcher, Queue, Scope};
use crate::world::{GroupId, JobId};

/// Position in the merged orders of a runner's classes.
///
/// The queue must not change between two calls of [`Cursor::next`]: a walk that is about to change it
/// first takes the rest of what it may examine with [`Cursor::take`].
#[derive(Debug, Default)]
pub(in crate::world) struct Cursor {
    heads: BinaryHeap<Reverse<Head>>,
}

/// The next candidate of one source. Sorts by count and id; ids are unique, so the rest never matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    count: u32,
    job: JobId,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// The first job of a bucket, found by a class's fair order.
    Instance(ClassId, BucketId),
    /// The first job of a bucket, found by a class's order for a group.
    Group(ClassId, GroupId, BucketId),
    /// A later job of a bucket whose first one was already a candidate.
    Bucket(BucketId),
}

impl Cursor {
    /// At the first candidate. `O(classes that match)`, no allocation when nothing is eligible.
    pub(in crate::world) fn new(queue: &Queue, matcher: &mut Matcher, scope: Scope<'_>) -> Cursor {
        let mut cursor = Cursor::default();
        let classes = queue.matching(matcher);
        match scope {
            Scope::Instance => {
                for class in classes {
                    let first = queue.classes[*class as usize].instance.first();
                    if let Some((count, job, bucket)) = first {
                        cursor.push(*count, *job, Source::Instance(*class, *bucket));
                    }
                }
            }
            Scope::Group(group) => {
                for class in classes {
                    let order = queue.classes[*class as usize].groups.get(&group);
                    if let Some((job, bucket)) = order.and_then(|order| order.order.first()) {
                        cursor.push(0, *job, Source::Group(*class, group, *bucket));
                    }
                }
            }
            Scope::Projects(projects) => {
                for bucket in queue.project_buckets(projects, classes) {
                    if let Some(job) = queue.buckets[bucket as usize].ids.first() {
                        cursor.push(0, *job, Source::Bucket(bucket));
                    }
                }
            }
        }
        cursor
    }

    /// The next candidate.
    pub(in crate::world) fn next(&mut self, queue: &Queue) -> Option<JobId> {
        let Reverse(head) = self.heads.pop()?;
        let bucket = match head.source {
            Source::Instance(class, bucket) => {
                let after = (Excluded((head.count, head.job, bucket)), Unbounded);
                let next = queue.classes[class as usize].instance.range(after).next();
                if let Some((count, job, bucket)) = next {
                    self.push(*count, *job, Source::Instance(class, *bucket));
                }
                bucket
            }
            Source::Group(class, group, bucket) => {
                let order = queue.classes[class as usize].groups.get(&group);
                let after = (Excluded((head.job, bucket)), Unbounded);
                let next = order.and_then(|order| order.order.range(after).next());
                if let Some((job, bucket)) = next {
                    self.push(0, *job, Source::Group(class, group, *bucket));
                }
                bucket
            }
            Source::Bucket(bucket) => bucket,
        };
        let rest = (Excluded(head.job), Unbounded);
        if let Some(job) = queue.buckets[bucket as usize].ids.range(rest).next() {
            self.push(head.count, *job, Source::Bucket(bucket));
        }
        Some(head.job)
    }

    /// The next candidates, at most `limit`.
    pub(in crate::world) fn take(&mut self, queue: &Queue, limit: usize) -> Vec<JobId> {
        std::iter::from_fn(|| self.next(queue))
            .take(limit)
            .collect()
    }

    fn push(&mut self, count: u32, job: JobId, source: Source) {
        self.heads.push(Reverse(Head { count, job, source }));
    }
}
