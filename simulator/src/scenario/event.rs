//! What may happen in the outside world.

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::{Value, json};

use super::span::Span;
use super::workload::{BuildEvent, TemplateSpec};

/// Something that happens, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Moment {
    /// When, counted from the beginning of the scenario.
    pub at: Span,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that comes from outside: a user, a failure, chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = keyed)]
pub enum Event {
    /// A build is created.
    Build(BuildEvent),
    /// A user cancels the build of this id.
    CancelBuild(String),
    /// A user lets the build of this id pass its block steps.
    Unblock(String),
    /// A template is created; if there is one of this name, it is deleted and
    /// made anew (a Job's pod template cannot be changed).
    ApplyTemplate(TemplateSpec),
    /// The template of this name is deleted; its pods stay.
    DeleteTemplate(String),
    /// An operator pauses every connected agent of this queue.
    PauseAgents(String),
    /// And ends the pause.
    ResumeAgents(String),
    /// A node is lost with everything on it: silent at first, its pods are
    /// removed after five minutes. The node with most pods if 0, counted from 1.
    LoseNode(u32),
    /// So many nodes are added.
    AddNodes(u32),
    /// The agents of so many pods die without a word (the oldest idle first,
    /// then starting ones); their pods fail.
    KillPods(u32),
    /// Someone deletes so many pods by hand, busy ones excepted.
    DeletePods(u32),
    /// The controller is killed and started again, with no memory.
    CrashController,
    /// The controller is away until `start-controller`.
    StopController,
    /// It is back, with no memory.
    StartController,
    /// A second controller of the same configuration starts beside it.
    StartSecondController,
    /// And is killed.
    StopSecondController,
    /// The controller is asked to end, as Kubernetes asks: it gives back what it
    /// holds.
    EndController,
    /// The controller's process stands still for so long, and then goes on where
    /// it stood.
    PauseController(Span),
    /// The clock that controllers read jumps ahead.
    ClockForward(Span),
    /// The clock that controllers read jumps back; a controller that runs goes
    /// on from where it was, one that starts later reads it as it is.
    ClockBack(Span),
    /// Requests go wrong.
    Fault(FaultSpec),
    /// Other tools spend so many requests of the organisation's limit.
    SpendRequests(u32),
    /// All faults end here; what is promised after faults counts from now on.
    FaultsEnd,
}

impl Event {
    /// The build that is created, if one is.
    pub(crate) fn build(&self) -> Option<&BuildEvent> {
        if let Self::Build(build) = self {
            Some(build)
        } else {
            None
        }
    }

    /// The template that is applied, if one is.
    pub(crate) fn template(&self) -> Option<&TemplateSpec> {
        if let Self::ApplyTemplate(template) = self {
            Some(template)
        } else {
            None
        }
    }
}

/// Requests of a kind that go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultSpec {
    /// Which requests.
    pub on: RequestKind,
    /// What goes wrong.
    pub with: FaultKind,
    /// For how long; until the end (or `faults-end`) if left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// How many requests pass before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u64,
    /// How many requests it strikes; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Requests of the controller, told apart by what they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A page of builds.
    Builds,
    /// A page of agents.
    Agents,
    /// A stop.
    Stops,
    /// Lists of templates.
    Templates,
    /// Lists of pods.
    Pods,
    /// Creation of a pod.
    Creates,
    /// Deletion of a pod.
    Deletes,
    /// Reads and writes of the Lease.
    Leases,
    /// Everything sent to Buildkite.
    Buildkite,
    /// Everything sent to Kubernetes.
    Kubernetes,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It is lost before it arrives.
    Drop,
    /// It is carried out, its answer is lost.
    LoseReply,
    /// Its answer comes later by so much.
    Delay(Span),
    /// 429, come back in 5 s.
    TooManyRequests,
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// 403, of a create: a quota of the namespace is used up.
    QuotaExceeded,
    /// The answer is no JSON.
    Garbled,
    /// Half of a page's rows are missing; it says as truly as before whether
    /// there is another page.
    Truncated,
    /// The answer is the one of before the fault.
    Stale,
}

/// An event without anything more is a key like the others, with no value.
fn keyed(schema: &mut Schema) {
    let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for variant in variants.into_iter().flatten() {
        if let Some(name) = variant.get("const").and_then(Value::as_str) {
            *variant = json!({
                "description": variant.get("description"),
                "type": "object",
                "properties": { name: { "type": "null" } },
                "required": [name],
            });
        }
    }
}

/// By hand: what serde makes of a flattened enum forgets where things stand.
impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MomentVisitor)
    }
}

struct MomentVisitor;

impl<'de> Visitor<'de> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment: `at` and one event, such as {at: 5s, crash-controller: null}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Moment, A::Error> {
        let (mut at, mut event) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            if key == "at" {
                at = Some(map.next_value()?);
            } else if event.is_some() {
                let message = format!("`{key}` is a second event of one moment: write one moment for each event");
                return Err(A::Error::custom(message));
            } else {
                event = Some(Event::deserialize(Named {
                    name: &key,
                    map: &mut map,
                })?);
            }
        }
        match (at, event) {
            (Some(at), Some(event)) => Ok(Moment { at, event }),
            (None, _) => Err(A::Error::missing_field("at")),
            (_, None) => Err(A::Error::custom(
                "nothing happens at this moment: add an event, such as `build`",
            )),
        }
    }
}

/// A map's entry read as a variant of an enum: the key names it, the value is
/// what it holds.
struct Named<'a, A> {
    name: &'a str,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Named<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Named<'_, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Named<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.map.next_value()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("no event is a list"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("no event has fields of its own"))
    }
}
