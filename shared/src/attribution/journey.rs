//! A journey as the models see it: its touches, its conversion, and its milestones.

/// A touch as the models see it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// When it began, in milliseconds of the clock that the journey's other times are of; finite.
    pub at_ms: f64,
    /// Whether it came without marketing evidence.
    pub is_direct: bool,
    /// Its channel, as an index that the caller gives.
    pub channel: usize,
}

/// Touches in time order (those of one time in the order of their event ids), and what they led to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Journey<'a> {
    /// The touches.
    pub steps: &'a [Step],
    /// The conversion.
    pub converted_at_ms: f64,
    /// For [`Model::U`](super::Model::U), [`Model::W`](super::Model::W) and
    /// [`Model::FullPath`](super::Model::FullPath).
    pub milestones: Milestones,
}

impl<'a> Journey<'a> {
    /// A journey whose conversion is the lead's creation, without further milestones.
    pub fn to_lead(steps: &'a [Step], lead_at_ms: f64) -> Self {
        let milestones = Milestones { lead_at_ms: Some(lead_at_ms), ..Milestones::default() };
        Self { steps, converted_at_ms: lead_at_ms, milestones }
    }
}

/// When the lead moved on; `None` for what has not happened.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Milestones {
    /// The lead was created.
    pub lead_at_ms: Option<f64>,
    /// Its opportunity was created.
    pub opportunity_at_ms: Option<f64>,
    /// Its deal was won.
    pub closed_at_ms: Option<f64>,
}
