//! The API's description, held to what is served.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::app::{Backend, Setup, TestApp, outside};

/// Files of the page, of no interest to a client.
const NOT_DESCRIBED: &str = "/docs/{file}";

async fn description() -> Value {
    let app = TestApp::on(Backend::Fakes, Setup::default()).await;
    app.send(outside(Method::GET, "/openapi.json")).await.ok()
}

#[tokio::test]
async fn what_is_described_is_what_is_served() {
    let description = description().await;
    let described: BTreeMap<String, Vec<String>> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect()))
        .collect();
    let served: BTreeMap<String, Vec<String>> = auth_http::served()
        .into_iter()
        .filter(|(path, _)| path != NOT_DESCRIBED)
        .map(|(path, methods)| {
            let mut methods: Vec<_> = methods.into_iter().filter(|m| *m != "HEAD").map(str::to_owned).collect();
            methods.sort();
            (path, methods)
        })
        .collect();
    assert_eq!(described, served);
}

#[tokio::test]
async fn every_operation_has_a_name_an_example_and_its_errors() {
    let description = description().await;
    assert_eq!(description["openapi"], "3.1.0");
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("500"), "{place}");
            assert_eq!(responses.contains_key("415"), operation["requestBody"].is_object(), "{place}");
            if operation["security"].as_array().is_some_and(|kinds| !kinds.is_empty()) {
                assert!(responses.contains_key("401"), "{place}");
            }
            for (status, response) in responses {
                let is_success = status == "200" || status == "202";
                let is_problem = response["$ref"].as_str().is_some_and(|to| to.starts_with("#/components/responses/"));
                assert!(is_success != is_problem, "{place}: {status}");
            }
        }
    }
    for (name, problem) in description["components"]["responses"].as_object().unwrap() {
        let content = &problem["content"]["application/problem+json"];
        assert!(content["example"]["detail"].is_string(), "{name}");
        assert!(problem["headers"]["x-error"].is_object() && problem["headers"]["x-error-id"].is_object(), "{name}");
    }
    for scheme in ["bearer", "apiKey", "apiSecret"] {
        assert!(description["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
}

#[tokio::test]
async fn every_operation_of_the_administration_takes_both_credentials_and_can_refuse_either() {
    let description = description().await;
    let mut operations = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let is_of_administrators = path.contains("/admin/");
            assert_eq!(operation["tags"] == json!(["Administration"]), is_of_administrators, "{place}");
            if !is_of_administrators {
                continue;
            }
            operations += 1;
            assert_eq!(operation["security"], json!([{"bearer": []}, {"apiKey": [], "apiSecret": []}]), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "403", "503"] {
                assert!(responses.contains_key(status), "{place}: {status}");
            }
            assert_eq!(responses.contains_key("404"), path.contains('{') || path.ends_with("/preferred"), "{place}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for parameter in &parameters {
                assert!(parameter["description"].is_string() && parameter["schema"].is_object(), "{place}");
            }
            let named = |kind: &str| parameters.iter().filter(|parameter| parameter["in"] == kind).count();
            assert_eq!(named("path"), path.matches('{').count(), "{place}");
            assert_eq!(named("query") > 0, path.ends_with('s') && !path.contains('{'), "{place}");
        }
    }
    assert_ne!(operations, 0);
}

#[tokio::test]
async fn whatever_mails_a_code_or_reaches_the_store_without_a_credential_can_be_throttled_and_nothing_else() {
    let description = description().await;
    let operations =
        description["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let throttled: BTreeSet<_> = operations
        .filter(|operation| operation["responses"]["429"].is_object())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let expected = [
        "addEmail",
        "createKeyPair",
        "openSession",
        "publicUser",
        "publicUserById",
        "register",
        "renewEmailCode",
        "verifyEmail",
        "verifySession",
    ];
    assert_eq!(throttled, expected.into());
    for name in ["TooManyRequests", "ServiceUnavailable"] {
        assert!(description["components"]["responses"][name]["headers"]["Retry-After"].is_object(), "{name}");
    }
}

#[tokio::test]
async fn every_text_and_number_in_a_body_has_an_example_or_says_what_it_is() {
    /// Whether a value of this schema says for itself what it looks like.
    fn is_shown(schema: &Value) -> bool {
        let says = ["example", "examples", "format", "pattern", "enum", "$ref", "oneOf"];
        says.into_iter().any(|keyword| !schema[keyword].is_null())
            || schema["type"].as_str().is_some_and(|kind| kind == "object")
            || (schema["type"] == "array" && is_shown(&schema["items"]))
    }
    let description = description().await;
    let mut silent = Vec::new();
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        let fields = schema["properties"].as_object().into_iter().flatten();
        silent.extend(fields.filter(|(_, schema)| !is_shown(schema)).map(|(field, _)| format!("{name}.{field}")));
    }
    assert_eq!(silent, [""; 0]);
}

#[tokio::test]
async fn a_body_may_be_absent_only_where_no_field_is_needed() {
    let description = description().await;
    let operations = description["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    let absent: Vec<_> = operations
        .filter(|(_, operation)| operation["requestBody"].is_object() && operation["requestBody"]["required"] != true)
        .map(|(_, operation)| operation["operationId"].clone())
        .collect();
    assert_eq!(absent, ["adminOpenSession"]);
}

#[tokio::test]
async fn an_invitation_is_described_with_the_page_that_it_takes() {
    let description = description().await;
    let [fields, either] = description["components"]["schemas"]["AdminNewUser"]["allOf"].as_array().unwrap().as_slice()
    else {
        panic!("{description}")
    };
    assert_eq!(fields["required"], json!(["email", "fullName", "alias"]));
    assert_eq!(either["anyOf"][0]["properties"]["notify"], json!({"enum": [false, null]}));
    assert_eq!(either["anyOf"][1]["properties"]["notify"], json!({"enum": [true]}));
    assert_eq!(either["anyOf"][1]["required"], json!(["notify", "portalURL"]));
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let description = description().await;
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(description.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_page_takes_nothing_from_another_host() {
    let app = TestApp::on(Backend::Fakes, Setup::default()).await;
    let page = app.send(outside(Method::GET, "/docs")).await;
    let text = String::from_utf8(page.body.clone()).unwrap();
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
    assert!(!text.contains("//"), "{text}");
    let files: Vec<_> = text.split('"').filter(|part| part.starts_with("/docs/")).collect();
    assert_eq!(files, ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/page.js"]);
    for file in files {
        let asset = app.send(outside(Method::GET, file)).await;
        assert!(asset.status == 200 && !asset.body.is_empty(), "{file}");
    }
    for missing in ["/docs/", "/docs/index.html", "/docs/..%2f..%2fetc%2fpasswd"] {
        app.send(outside(Method::GET, missing)).await.refused(404, "no such endpoint");
    }
}

#[tokio::test]
async fn every_link_hands_an_id_to_an_operation_that_takes_it() {
    let description = description().await;
    let operations: Vec<&Value> = description["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .collect();
    let links: Vec<_> = operations
        .iter()
        .flat_map(|operation| operation["responses"].as_object().unwrap().values())
        .filter_map(|response| response["links"].as_object())
        .flat_map(|links| links.values())
        .collect();
    assert_eq!(links.len(), 19);
    for link in links {
        let target = operations.iter().find(|operation| operation["operationId"] == link["operationId"]);
        let parameters = target.unwrap_or_else(|| panic!("{link}"))["parameters"].as_array().unwrap();
        for name in link["parameters"].as_object().unwrap().keys() {
            assert!(parameters.iter().any(|parameter| parameter["name"] == name.as_str()), "{link}");
        }
    }
}
