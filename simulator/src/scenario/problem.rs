//! What is wrong with a file that was given to this program, and where.

use std::fmt;

/// Something wrong in a file: where, which rule it breaks, what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<u64>,
    /// The column, counted from 1, where it is known.
    pub column: Option<u64>,
    /// The rule that is broken.
    pub rule: Rule,
    /// What was found, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}: {}", self.rule, self.message)
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident => $text:literal,)*) => {
        /// A rule of the files that this program reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule { $($(#[doc = $doc])+ $name,)* }

        impl Rule {
            /// Every rule, with its text.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, concat!($($doc),+)),)*];

            /// The rule's short name, as messages show it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

rules! {
    /// The file is YAML, JSON, CSV or gzip, as its kind wants.
    Syntax => "syntax",
    /// Fields have the names and kinds that the format gives them.
    Shape => "shape",
    /// The file is of a version that this program reads.
    Version => "version",
    /// Files, lists and worlds have a bounded size.
    Size => "size",
    /// Names are ones that Kubernetes and Buildkite take.
    Name => "name",
    /// Times lie within the scenario, lengths are sensible, `from` is not after `to`.
    Time => "time",
    /// Numbers are within their bounds.
    Number => "number",
    /// What an event, step or expectation names exists by then.
    Reference => "reference",
    /// Names and ids are given once.
    Unique => "unique",
    /// Things begin before they end, and only what has the field may use it.
    Order => "order",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
