//! Midstate.
