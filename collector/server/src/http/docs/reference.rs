//! The OpenAPI document as the page shows it: operations by group, and the types they use.

use super::example::{Example, examples};
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

/// The most words of a search; further ones are ignored, so that no search costs more than a few milliseconds.
const SEARCH_WORDS: usize = 8;

/// The whole reference.
pub(in crate::http) struct Reference {
    /// The paragraphs that it begins with.
    pub(super) intro: Vec<Prose>,
    tags: Vec<(String, String)>,
    operations: Vec<OperationDoc>,
    types: Vec<TypeDoc>,
}

/// Operations under one heading.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) operations: Vec<&'a OperationDoc>,
}

/// One operation.
pub(super) struct OperationDoc {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
    pub(super) description: Vec<Prose>,
    /// Which key it needs, in words; empty if none.
    pub(super) key: String,
    pub(super) parameters: Vec<Member>,
    pub(super) body: Option<Body>,
    pub(super) responses: Vec<ResponseDoc>,
    pub(super) examples: Vec<Example>,
    tag: String,
    /// All of it in lower case, for searching.
    text: String,
}

/// A request's body.
pub(super) struct Body {
    pub(super) content_type: String,
    pub(super) description: Vec<Prose>,
    pub(super) types: Vec<TypeName>,
}

/// A response.
pub(super) struct ResponseDoc {
    pub(super) status: String,
    pub(super) description: Vec<Prose>,
    pub(super) types: Vec<TypeName>,
}

/// A type of the document's components.
pub(super) struct TypeDoc {
    pub(super) name: String,
    pub(super) description: Vec<Prose>,
    pub(super) members: Vec<Member>,
    /// The values of an enumeration.
    pub(super) values: Vec<String>,
    /// The types that it is one of.
    pub(super) alternatives: Vec<TypeName>,
    text: String,
}

/// A parameter, or a member of an object.
pub(super) struct Member {
    pub(super) name: String,
    /// Where a parameter stands: `path`, `query`, `header`; empty for members.
    pub(super) place: String,
    pub(super) types: Vec<TypeName>,
    pub(super) required: bool,
    pub(super) description: Vec<Prose>,
    pub(super) example: String,
}

/// A paragraph: pieces of text, some of them code.
pub(super) struct Prose(pub(super) Vec<Piece>);

/// A piece of a paragraph.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_code: bool,
}

/// A type as a table shows it.
pub(super) struct TypeName {
    /// In front of the name, such as `list of `.
    pub(super) prefix: String,
    pub(super) name: String,
    /// Whether the page describes it.
    pub(super) linked: bool,
}

impl Prose {
    /// A paragraph with code between backticks.
    fn of(paragraph: &str) -> Self {
        let pieces = paragraph.split('`').enumerate();
        let pieces =
            pieces.map(|(place, text)| Piece { text: text.to_owned(), is_code: place % 2 == 1 });
        Self(pieces.filter(|piece| !piece.text.is_empty()).collect())
    }
}

impl Reference {
    /// The reference of a document.
    pub(in crate::http) fn new(document: &OpenApi) -> Self {
        // A document is made of plain data, which always serialises.
        Self::of(&serde_json::to_value(document).unwrap_or_default())
    }

    fn of(document: &Value) -> Self {
        let tags = items(&document["tags"]).iter();
        let schemas = &document["components"]["schemas"];
        let paths = members(&document["paths"]);
        let operations = paths.flat_map(|(path, item)| {
            members(item).map(move |(method, operation)| OperationDoc::of(method, path, operation))
        });
        let types: Vec<TypeDoc> =
            members(schemas).map(|(name, schema)| TypeDoc::of(name, schema, schemas)).collect();
        // An operation is also found by what its body says.
        let operations = operations.map(|mut operation| {
            for of in operation.body.iter().flat_map(|body| &body.types) {
                let described = types.iter().find(|described| described.name == of.name);
                operation.text.extend(described.map(|described| described.text.as_str()));
            }
            operation
        });
        Self {
            intro: paragraphs(&document["info"]["description"]),
            tags: tags.map(|tag| (text(&tag["name"]), text(&tag["description"]))).collect(),
            operations: operations.collect(),
            types,
        }
    }

    /// The operations and types that have all words of a search; all of them if it has none.
    pub(super) fn find(&self, search: &str) -> (Vec<Group<'_>>, Vec<&TypeDoc>) {
        let search = search.to_lowercase();
        let words: Vec<&str> = search.split_whitespace().take(SEARCH_WORDS).collect();
        let is_found = |text: &str| words.iter().all(|word| text.contains(word));
        let groups = self.tags.iter().map(|(name, description)| Group {
            name,
            description,
            operations: self
                .operations
                .iter()
                .filter(|operation| operation.tag == *name && is_found(&operation.text))
                .collect(),
        });
        let groups = groups.filter(|group| !group.operations.is_empty()).collect();
        (groups, self.types.iter().filter(|of| is_found(&of.text)).collect())
    }
}

impl OperationDoc {
    fn of(method: &str, path: &str, operation: &Value) -> Self {
        let parameters: Vec<Member> = items(&operation["parameters"])
            .iter()
            .map(|parameter| {
                let schema = &parameter["schema"];
                Member {
                    name: text(&parameter["name"]),
                    place: text(&parameter["in"]),
                    types: types(schema),
                    required: parameter["required"] == true,
                    description: paragraphs(&parameter["description"]),
                    example: plain(first(&[&parameter["example"], &schema["example"]])),
                }
            })
            .collect();
        let body = operation.get("requestBody").map(Body::of);
        let responses = members(&operation["responses"]);
        let method = method.to_uppercase();
        Self {
            id: text(&operation["operationId"]),
            summary: text(&operation["summary"]),
            description: paragraphs(&operation["description"]),
            key: key(operation),
            responses: responses
                .map(|(status, response)| ResponseDoc::of(status, response))
                .collect(),
            examples: examples(&method, path, operation),
            tag: text(&operation["tags"][0]),
            text: format!("{method} {path} {operation}").to_lowercase(),
            path: path.to_owned(),
            method,
            parameters,
            body,
        }
    }
}

impl Body {
    fn of(body: &Value) -> Self {
        let content = members(&body["content"]).next();
        Self {
            content_type: content.map(|(content_type, _)| content_type.clone()).unwrap_or_default(),
            description: paragraphs(&body["description"]),
            types: content.map(|(_, content)| types(&content["schema"])).unwrap_or_default(),
        }
    }
}

impl ResponseDoc {
    fn of(status: &str, response: &Value) -> Self {
        let contents =
            members(&response["content"]).flat_map(|(_, content)| types(&content["schema"]));
        Self {
            status: status.to_owned(),
            description: paragraphs(&response["description"]),
            types: contents.collect(),
        }
    }
}

impl TypeDoc {
    fn of(name: &str, schema: &Value, schemas: &Value) -> Self {
        let mut of = Vec::new();
        collect_members(schema, schemas, &mut of);
        let alternatives = ["oneOf", "anyOf"].into_iter().flat_map(|key| items(&schema[key]));
        Self {
            name: name.to_owned(),
            description: paragraphs(&schema["description"]),
            members: of,
            values: items(&schema["enum"]).iter().map(plain).collect(),
            alternatives: alternatives.flat_map(types).collect(),
            text: format!("{name} {schema}").to_lowercase(),
        }
    }
}

/// The members of an object, those of the objects that it is combined of among them.
fn collect_members(schema: &Value, schemas: &Value, into: &mut Vec<Member>) {
    for part in items(&schema["allOf"]) {
        match referenced(part) {
            Some(name) => collect_members(&schemas[name], schemas, into),
            None => collect_members(part, schemas, into),
        }
    }
    let required = items(&schema["required"]);
    into.extend(members(&schema["properties"]).map(|(name, member)| Member {
        name: name.clone(),
        place: String::new(),
        types: types(member),
        required: required.iter().any(|required| required == name),
        description: paragraphs(&member["description"]),
        example: plain(&member["example"]),
    }));
}

/// What a schema is, in words: one name, or several alternatives.
fn types(schema: &Value) -> Vec<TypeName> {
    let named = |prefix: &str, name: &str, linked| TypeName {
        prefix: prefix.to_owned(),
        name: name.to_owned(),
        linked,
    };
    if let Some(name) = referenced(schema) {
        return vec![named("", name, true)];
    }
    let alternatives = ["oneOf", "anyOf", "allOf"].into_iter().flat_map(|key| items(&schema[key]));
    let alternatives: Vec<TypeName> = alternatives.flat_map(types).collect();
    if !alternatives.is_empty() {
        return alternatives;
    }
    let kinds: Vec<String> = match &schema["type"] {
        Value::Array(several) => several.iter().map(plain).collect(),
        one => vec![plain(one)],
    };
    let of_kind = |kind: &String| match (kind.as_str(), schema["format"].as_str()) {
        ("array", _) => types(&schema["items"])
            .into_iter()
            .map(|item| TypeName { prefix: format!("list of {}", item.prefix), ..item })
            .collect(),
        ("object", _) if schema["additionalProperties"].is_object() => {
            types(&schema["additionalProperties"])
                .into_iter()
                .map(|item| TypeName { prefix: format!("map of {}", item.prefix), ..item })
                .collect()
        }
        ("", _) => vec![named("", "any", false)],
        ("string", Some(format)) => vec![named("", &format!("string ({format})"), false)],
        (kind, _) => vec![named("", kind, false)],
    };
    kinds.iter().flat_map(of_kind).collect()
}

/// Which key an operation needs, in words.
fn key(operation: &Value) -> String {
    let needed = items(&operation["security"]);
    let scopes = needed.iter().find_map(|needed| needed.get("api_key"));
    let signed = needed.iter().any(|needed| needed.as_object().is_some_and(Map::is_empty));
    match scopes.map(items) {
        None => String::new(),
        Some([]) => "any API key".to_owned(),
        Some([scope, ..]) if signed => {
            format!("a signature, or an API key with the scope {}", plain(scope))
        }
        Some([scope, ..]) => format!("an API key with the scope {}", plain(scope)),
    }
}

fn referenced(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn first<'a>(values: &[&'a Value]) -> &'a Value {
    values.iter().find(|value| !value.is_null()).copied().unwrap_or(&Value::Null)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A value as a person writes it: a string without quotes, nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn paragraphs(value: &Value) -> Vec<Prose> {
    let paragraphs = value.as_str().unwrap_or_default().split("\n\n");
    let paragraphs = paragraphs.map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.filter(|paragraph| !paragraph.is_empty()).map(|it| Prose::of(&it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::document;

    fn reference() -> Reference {
        Reference::new(document())
    }

    fn check(search: &str, operation: Option<&str>) {
        let reference = reference();
        let (groups, _) = reference.find(search);
        let ids: Vec<&str> = groups
            .iter()
            .flat_map(|group| group.operations.iter().map(|operation| operation.id.as_str()))
            .collect();
        match operation {
            Some(operation) => assert!(ids.contains(&operation), "{search}: {ids:?}"),
            None => assert!(ids.is_empty(), "{search}: {ids:?}"),
        }
    }

    #[test]
    fn searches() {
        check("", Some("createLead"));
        check("refund", Some("reportRevenue"));
        check("rotate SECRET", Some("rotateHookSecret"));
        check("/v1/leads/{lead}/fields", Some("getLeadFields"));
        check("no-such-word", None);
    }

    #[test]
    fn every_linked_type_is_described() {
        let reference = reference();
        let known: Vec<&str> = reference.types.iter().map(|of| of.name.as_str()).collect();
        let bodies =
            reference.operations.iter().flat_map(|it| it.body.iter().flat_map(|it| &it.types));
        let responses =
            reference.operations.iter().flat_map(|it| it.responses.iter().flat_map(|it| &it.types));
        let members =
            reference.types.iter().flat_map(|it| it.members.iter().flat_map(|it| &it.types));
        for of in bodies.chain(responses).chain(members).filter(|of| of.linked) {
            assert!(known.contains(&of.name.as_str()), "{}", of.name);
        }
    }

    #[test]
    fn a_lead_has_its_members() {
        let reference = reference();
        let lead = reference.types.iter().find(|of| of.name == "Lead").unwrap();
        let names: Vec<&str> = lead.members.iter().map(|member| member.name.as_str()).collect();
        assert!(names.contains(&"contact") && names.contains(&"converted_at"), "{names:?}");
    }
}
