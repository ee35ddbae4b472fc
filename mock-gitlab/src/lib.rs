//! A mock GitLab server that any runner can be pointed at.
