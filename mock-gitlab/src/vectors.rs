//! The test vectors of the queue (`scenarios/catalogue/queueing.yml`), decoded into steps.
