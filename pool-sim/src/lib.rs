//! The pool simulator and the chain node.
