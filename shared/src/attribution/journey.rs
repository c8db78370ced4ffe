//! A journey as the models need it: its touches, its conversion and its milestones.

/// A touch as the models need it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// When it began, in milliseconds on the same scale as the journey's other times; finite.
    pub at_ms: f64,
    /// Whether it came without marketing evidence.
    pub is_direct: bool,
    /// Its channel, as an index chosen by the caller.
    pub channel: usize,
}

/// Touches in time order (event id order for equal times), and what they led to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Journey<'a> {
    /// The touches.
    pub steps: &'a [Step],
    /// The time of the conversion.
    pub converted_at_ms: f64,
    /// For [`Model::U`](super::Model::U), [`Model::W`](super::Model::W) and
    /// [`Model::FullPath`](super::Model::FullPath).
    pub milestones: Milestones,
}

impl<'a> Journey<'a> {
    /// A journey whose conversion is the creation of the lead, without later milestones.
    pub fn to_lead(steps: &'a [Step], lead_at_ms: f64) -> Self {
        let milestones = Milestones { lead_at_ms: Some(lead_at_ms), ..Milestones::default() };
        Self { steps, converted_at_ms: lead_at_ms, milestones }
    }
}

/// When the lead reached each milestone; `None` if it has not.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Milestones {
    /// The lead was created.
    pub lead_at_ms: Option<f64>,
    /// Its opportunity was created.
    pub opportunity_at_ms: Option<f64>,
    /// Its deal was won.
    pub closed_at_ms: Option<f64>,
}
