//! The description as a document.

use super::endpoints::{Body, ENDPOINTS, Endpoint, Kind, Method, Parameter, Place};

/// What every description says: how answers and errors look.
const COMPONENTS: &str = r#"components:
  schemas:
    Success:
      type: object
      required: [status]
      properties:
        status: {type: string, const: success}
        data: {description: What the path describes; left out where there is none.}
        warnings: {type: array, items: {type: string}}
        infos: {type: array, items: {type: string}}
    Error:
      type: object
      required: [status, errorType, error]
      properties:
        status: {type: string, const: error}
        errorType:
          type: string
          enum: [bad_data, execution, canceled, timeout, internal, unavailable, not_found, not_acceptable]
        error: {type: string}
    Time:
      description: Seconds since the epoch, with decimals, or a time of RFC 3339.
      oneOf:
        - {type: number}
        - {type: string, format: date-time}
    Duration:
      description: Seconds, with decimals, or a duration such as 5m or 1h30m.
      oneOf:
        - {type: number}
        - {type: string}
  responses:
    Error:
      description: The request failed; the error says why.
      content:
        application/json:
          schema: {$ref: '#/components/schemas/Error'}
"#;

/// The description in a version of OpenAPI, of a server that offers a version of Prometheus' API.
pub(super) fn document(openapi_version: &str, api_version: &str) -> String {
    let mut yaml = format!(
        "openapi: {openapi_version}\n\
         info:\n  title: Ringwood, with the API of Prometheus\n  version: {api_version}\n\
         servers:\n  - url: /api/v1\n\
         paths:\n"
    );
    for endpoint in ENDPOINTS {
        endpoint.write(&mut yaml);
    }
    yaml + COMPONENTS
}

impl Endpoint {
    fn write(&self, yaml: &mut String) {
        yaml.push_str(&format!("  {}:\n", self.path));
        for method in self.methods {
            self.operation(*method, yaml);
        }
    }

    fn operation(&self, method: Method, yaml: &mut String) {
        let id = self.path.trim_matches('/').replace(['/', '_', '.', '{', '}'], "-");
        yaml.push_str(&format!("    {}:\n      tags: [{}]\n", method.as_str(), self.tag()));
        yaml.push_str(&format!(
            "      operationId: {}-{id}\n      summary: {}\n",
            method.as_str(),
            quoted(self.summary)
        ));
        let in_url = |parameter: &&Parameter| parameter.place == Place::Path || !self.takes_form(method);
        let mut in_url = self.parameters().filter(in_url).peekable();
        if in_url.peek().is_some() {
            yaml.push_str("      parameters:\n");
        }
        for parameter in in_url {
            parameter.write_in_url(yaml);
        }
        if self.takes_form(method) {
            self.write_form(yaml);
        }
        yaml.push_str("      responses:\n");
        self.answer.write(yaml);
        yaml.push_str("        default: {$ref: '#/components/responses/Error'}\n");
    }

    fn tag(&self) -> &'static str {
        self.path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }

    /// Whether the parameters may come as a form, which is what a `POST` of Prometheus' is for.
    fn takes_form(&self, method: Method) -> bool {
        method == Method::Post && self.parameters().next().is_some()
    }

    fn write_form(&self, yaml: &mut String) {
        yaml.push_str("      requestBody:\n        content:\n          application/x-www-form-urlencoded:\n");
        yaml.push_str("            schema:\n              type: object\n");
        let required: Vec<_> = self.parameters().filter(|parameter| parameter.required).collect();
        if !required.is_empty() {
            let names: Vec<_> = required.iter().map(|parameter| quoted(parameter.name)).collect();
            yaml.push_str(&format!("              required: [{}]\n", names.join(", ")));
        }
        yaml.push_str("              properties:\n");
        for parameter in self.parameters() {
            let name = quoted(parameter.name);
            yaml.push_str(&format!("                {name}: {}\n", parameter.kind.schema()));
        }
    }
}

impl Parameter {
    fn write_in_url(&self, yaml: &mut String) {
        let place = if self.place == Place::Path { "path" } else { "query" };
        let required = self.required || self.place == Place::Path;
        yaml.push_str(&format!("        - name: {}\n          in: {place}\n", quoted(self.name)));
        yaml.push_str(&format!(
            "          description: {}\n          required: {required}\n",
            quoted(self.description)
        ));
        yaml.push_str(&format!("          schema: {}\n", self.kind.schema()));
    }
}

impl Kind {
    fn schema(self) -> &'static str {
        match self {
            Self::Text => "{type: string}",
            Self::Texts => "{type: array, items: {type: string}}",
            Self::Integer => "{type: integer}",
            Self::Bool => "{type: boolean}",
            Self::Time => "{$ref: '#/components/schemas/Time'}",
            Self::Duration => "{$ref: '#/components/schemas/Duration'}",
        }
    }
}

impl Body {
    fn write(self, yaml: &mut String) {
        let (code, media_type, description) = match self {
            Self::Json(data) => {
                let schema = "{$ref: '#/components/schemas/Success'}";
                let head = format!("        '200':\n          description: {}\n", quoted(data));
                let content =
                    format!("          content:\n            application/json:\n              schema: {schema}\n");
                yaml.push_str(&(head + &content));
                return;
            }
            Self::Nothing(description) => {
                return yaml.push_str(&format!("        '204':\n          description: {}\n", quoted(description)));
            }
            Self::Other { media_type, description } => ("200", media_type, description),
        };
        yaml.push_str(&format!("        '{code}':\n          description: {}\n", quoted(description)));
        yaml.push_str(&format!("          content:\n            {media_type}: {{}}\n"));
    }
}

/// A text as YAML: in single quotes, where only they themselves mean anything.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
