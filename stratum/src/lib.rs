//! Stratum V1 on the wire.
