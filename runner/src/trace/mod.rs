//! The log of a job: pipeline (mask, stamp, limit, spool; runner.md 6 and 9) and delivery (wire.md 4, 5.4).
