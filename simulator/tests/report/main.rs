//! The pages of runs and comparisons, as text. `browser/` looks at them as pictures.

mod comparisons;
mod pages;
mod sample;
