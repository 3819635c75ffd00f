//! The in-cluster controller.

fn main() {}
