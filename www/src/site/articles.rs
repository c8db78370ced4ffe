//! The blog's list of articles; their texts are in `templates/site/articles`, one file each.

/// An article as shown in lists.
pub(crate) struct Article {
    pub(crate) slug: &'static str,
    pub(crate) title: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) published: &'static str,
    pub(crate) minutes: u8,
}

/// Newest first.
pub(crate) const ARTICLES: [Article; 3] = [
    Article {
        slug: "where-the-hours-go",
        title: "Where the hours go: reading a studio week",
        summary: "Most studios lose a day a week without anybody being idle. Here is how to find \
                  it on the board, and how to get half of it back by Friday.",
        topic: "Planning",
        published: "14 September 2026",
        minutes: 6,
    },
    Article {
        slug: "quoting-without-guesswork",
        title: "Quoting without guesswork",
        summary: "A quote is a promise about hours you have not worked yet. Three numbers from \
                  your own past jobs make it an honest one.",
        topic: "Pricing",
        published: "27 August 2026",
        minutes: 5,
    },
    Article {
        slug: "the-handover-checklist",
        title: "The handover checklist nobody skips",
        summary: "Work goes wrong between benches, not at them. Nine lines on one card, and the \
                  three rules that keep it in use after the first week.",
        topic: "Craft",
        published: "6 August 2026",
        minutes: 5,
    },
];
