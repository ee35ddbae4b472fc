//! Where the stages of a job run: one folder for each executor, one trait for all.
