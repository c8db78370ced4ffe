//! How to call an operation from a shell and from three languages.

use serde_json::Value;
use std::fmt::Write;

/// Stands for the collector's address until the page is sent.
pub(super) const BASE: &str = "https://collector.invalid";

/// An example call.
pub(super) struct Example {
    /// The language, for people.
    pub(super) language: &'static str,
    /// The code.
    pub(super) code: String,
}

/// What a call is made of.
struct Call<'a> {
    method: &'a str,
    url: String,
    is_keyed: bool,
    body: Option<&'a Value>,
}

/// Examples of an operation: with curl, and of what needs a key in Python, Node and PHP too.
pub(super) fn examples(method: &str, path: &str, operation: &Value) -> Vec<Example> {
    let content = operation["requestBody"]["content"].as_object();
    let body = content.and_then(|content| content.get("application/json")?.get("example"));
    let is_keyed = operation["security"].as_array().is_some_and(|keys| !keys.is_empty());
    let call = Call { method, url: format!("{BASE}{}", filled(path, operation)), is_keyed, body };
    let mut examples = vec![Example { language: "curl", code: curl(&call) }];
    if is_keyed {
        examples.extend([
            Example { language: "Python", code: python(&call) },
            Example { language: "Node", code: node(&call) },
            Example { language: "PHP", code: php(&call) },
        ]);
    }
    examples
}

/// A path with an example for each of its parameters.
fn filled(path: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.filter(|parameter| parameter["in"] == "path").fold(path.to_owned(), |path, it| {
        let name = it["name"].as_str().unwrap_or_default();
        let example = it["example"].as_str().map_or_else(|| name.to_uppercase(), str::to_owned);
        path.replace(&format!("{{{name}}}"), &example)
    })
}

fn curl(call: &Call<'_>) -> String {
    let mut lines = vec![match call.method {
        "GET" => format!("curl '{}'", call.url),
        method => format!("curl -X {method} '{}'", call.url),
    }];
    if call.is_keyed {
        lines.push("  -H 'Authorization: Bearer KEY'".to_owned());
    }
    if let Some(body) = call.body {
        lines.push("  -H 'Content-Type: application/json'".to_owned());
        lines.push(format!("  -d '{}'", pretty(body, 0, &JSON)));
    }
    lines.join(" \\\n")
}

fn python(call: &Call<'_>) -> String {
    let Call { url, body, .. } = call;
    let method = call.method.to_lowercase();
    let json = body.map(|body| format!("    json={},\n", pretty(body, 1, &PYTHON)));
    format!(
        "import requests\n\nresponse = requests.{method}(\n    \"{url}\",\n    \
         headers={{\"Authorization\": \"Bearer KEY\"}},\n{}    timeout=10,\n)\n\
         response.raise_for_status()\n{}",
        json.unwrap_or_default(),
        if call.method == "DELETE" { "" } else { "print(response.json())\n" },
    )
}

fn node(call: &Call<'_>) -> String {
    let Call { method, url, body, .. } = call;
    let mut options = String::new();
    if *method != "GET" {
        let _ = writeln!(options, "  method: \"{method}\",");
    }
    match body {
        Some(body) => {
            options += "  headers: { Authorization: \"Bearer KEY\", \"Content-Type\": \"application/json\" },\n";
            let _ = writeln!(options, "  body: JSON.stringify({}),", pretty(body, 1, &JSON));
        }
        None => options += "  headers: { Authorization: \"Bearer KEY\" },\n",
    }
    let print = if *method == "DELETE" { "" } else { "console.log(await response.json());\n" };
    format!(
        "const response = await fetch(\"{url}\", {{\n{options}}});\n\
         if (!response.ok) throw new Error((await response.json()).detail);\n{print}"
    )
}

fn php(call: &Call<'_>) -> String {
    let Call { method, url, body, .. } = call;
    let mut headers = vec!["\"Authorization: Bearer KEY\""];
    headers.extend(body.map(|_| "\"Content-Type: application/json\""));
    let mut options = format!(
        "    CURLOPT_RETURNTRANSFER => true,\n    CURLOPT_CUSTOMREQUEST => \"{method}\",\n    \
         CURLOPT_HTTPHEADER => [{}],\n",
        headers.join(", ")
    );
    if let Some(body) = body {
        let _ =
            writeln!(options, "    CURLOPT_POSTFIELDS => json_encode({}),", pretty(body, 1, &PHP));
    }
    format!(
        "$request = curl_init(\"{url}\");\ncurl_setopt_array($request, [\n{options}]);\n\
         $response = curl_exec($request);\n\
         if (curl_getinfo($request, CURLINFO_RESPONSE_CODE) >= 400) {{\n    throw new Exception($response);\n}}\n\
         print_r(json_decode($response, true));\n"
    )
}

/// How a language writes data.
struct Notation {
    object: [char; 2],
    member: &'static str,
    words: [&'static str; 3],
}

const JSON: Notation =
    Notation { object: ['{', '}'], member: ": ", words: ["null", "true", "false"] };
const PYTHON: Notation =
    Notation { object: ['{', '}'], member: ": ", words: ["None", "True", "False"] };
const PHP: Notation =
    Notation { object: ['[', ']'], member: " => ", words: ["null", "true", "false"] };

/// A value in a notation, its lines indented so many steps of its language (JSON by two spaces a step, others by
/// four).
fn pretty(value: &Value, depth: usize, notation: &Notation) -> String {
    let step =
        if notation.words == JSON.words && notation.object == JSON.object { "  " } else { "    " };
    match value {
        Value::Null => notation.words[0].to_owned(),
        Value::Bool(is) => notation.words[if *is { 1 } else { 2 }].to_owned(),
        Value::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| pretty(item, depth, notation)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let [open, close] = notation.object;
            let indent = step.repeat(depth + 1);
            let members = members.iter().map(|(name, value)| {
                format!(
                    "\n{indent}\"{name}\"{}{}",
                    notation.member,
                    pretty(value, depth + 1, notation)
                )
            });
            let members: Vec<String> = members.collect();
            format!("{open}{}\n{}{close}", members.join(","), step.repeat(depth))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(language: &str, body: Option<Value>, expected: &str) {
        let mut operation = json!({
            "security": [{ "api_key": ["leads:write"] }],
            "parameters": [{ "in": "path", "name": "lead", "example": "email:a@example.com" }],
        });
        if let Some(body) = body {
            operation["requestBody"] =
                json!({ "content": { "application/json": { "example": body } } });
        }
        let examples = examples("POST", "/v1/leads/{lead}/x", &operation);
        let example = examples.iter().find(|example| example.language == language).unwrap();
        assert_eq!(example.code, expected);
    }

    #[test]
    fn calls() {
        let body = json!({ "a": true, "b": { "c": [1, null] } });
        check(
            "curl",
            None,
            "curl -X POST 'https://collector.invalid/v1/leads/email:a@example.com/x' \\\n  -H 'Authorization: Bearer KEY'",
        );
        check(
            "Python",
            Some(body.clone()),
            "import requests\n\nresponse = requests.post(\n    \"https://collector.invalid/v1/leads/email:a@example.com/x\",\n    \
             headers={\"Authorization\": \"Bearer KEY\"},\n    json={\n        \"a\": True,\n        \"b\": {\n            \
             \"c\": [1, None]\n        }\n    },\n    timeout=10,\n)\nresponse.raise_for_status()\nprint(response.json())\n",
        );
        check(
            "PHP",
            Some(body),
            "$request = curl_init(\"https://collector.invalid/v1/leads/email:a@example.com/x\");\n\
             curl_setopt_array($request, [\n    CURLOPT_RETURNTRANSFER => true,\n    CURLOPT_CUSTOMREQUEST => \"POST\",\n    \
             CURLOPT_HTTPHEADER => [\"Authorization: Bearer KEY\", \"Content-Type: application/json\"],\n    \
             CURLOPT_POSTFIELDS => json_encode([\n        \"a\" => true,\n        \"b\" => [\n            \"c\" => [1, null]\n        \
             ]\n    ]),\n]);\n$response = curl_exec($request);\n\
             if (curl_getinfo($request, CURLINFO_RESPONSE_CODE) >= 400) {\n    throw new Exception($response);\n}\n\
             print_r(json_decode($response, true));\n",
        );
    }
}
