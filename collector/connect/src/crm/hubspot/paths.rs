//! The paths of HubSpot's API: with a date, as since March 2026, or with a version number, as
//! before.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Percent-encodes everything in a path segment except these characters.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The base paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Paths {
    objects: String,
    properties: String,
    associations: String,
    pipelines: String,
    /// The full path of the token endpoint.
    pub(super) token: &'static str,
}

impl Paths {
    /// The paths of a dated version, or of `v3`.
    pub(super) fn new(api: &str) -> Self {
        if api == "v3" {
            return Self {
                objects: "/crm/v3/objects".into(),
                properties: "/crm/v3/properties".into(),
                associations: "/crm/v4/associations".into(),
                pipelines: "/crm/v3/pipelines".into(),
                token: "/oauth/v3/token",
            };
        }
        Self {
            objects: format!("/crm/objects/{api}"),
            properties: format!("/crm/properties/{api}"),
            associations: format!("/crm/associations/{api}"),
            pipelines: format!("/crm/pipelines/{api}"),
            token: "/oauth/2026-03/token",
        }
    }

    /// The path of objects, such as `…/contacts/batch/upsert`.
    pub(super) fn objects(&self, below: &str) -> String {
        format!("{}/{below}", self.objects)
    }

    /// The path of one object, by its id or by the value of a unique property.
    pub(super) fn object(&self, kind: &str, id: &str) -> String {
        format!("{}/{kind}/{}", self.objects, utf8_percent_encode(id, SEGMENT))
    }

    /// The path of the properties of a kind of object.
    pub(super) fn properties(&self, below: &str) -> String {
        format!("{}/{below}", self.properties)
    }

    /// The path for reading associations from one kind of object to another.
    pub(super) fn associated(&self, from: &str, to: &str) -> String {
        format!("{}/{from}/{to}/batch/read", self.associations)
    }

    /// The path of the deal pipelines.
    pub(super) fn pipelines(&self) -> String {
        format!("{}/deals", self.pipelines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles() {
        let (dated, numbered) = (Paths::new("2026-09"), Paths::new("v3"));
        for (paths, expected) in [
            (
                dated,
                [
                    "/crm/objects/2026-09/contacts/batch/upsert",
                    "/crm/objects/2026-09/contacts/a%2Bb%2F%3F@x.example",
                    "/crm/properties/2026-09/contacts/groups",
                    "/crm/associations/2026-09/deals/contacts/batch/read",
                    "/crm/pipelines/2026-09/deals",
                    "/oauth/2026-03/token",
                ],
            ),
            (
                numbered,
                [
                    "/crm/v3/objects/contacts/batch/upsert",
                    "/crm/v3/objects/contacts/a%2Bb%2F%3F@x.example",
                    "/crm/v3/properties/contacts/groups",
                    "/crm/v4/associations/deals/contacts/batch/read",
                    "/crm/v3/pipelines/deals",
                    "/oauth/v3/token",
                ],
            ),
        ] {
            let found = [
                paths.objects("contacts/batch/upsert"),
                paths.object("contacts", "a+b/?@x.example"),
                paths.properties("contacts/groups"),
                paths.associated("deals", "contacts"),
                paths.pipelines(),
                paths.token.to_owned(),
            ];
            assert_eq!(found, expected);
        }
    }
}
