//! Attributes of operators by name, for all operators alike: the generated attribute tables print
//! themselves as `Conv2DOptions(Conv2DOptionsT { padding: SAME, stride_w: 1 })`.

use std::fmt::Debug;

use serde::Serializer;
use serde_json::Value;

/// One attribute of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The schema's name of it.
    pub name: String,
    /// A number, a truth value, a list, the name of an enumeration's value, or null.
    pub value: Value,
}

/// Attributes as an object, in the schema's order.
pub(super) fn serialize<S: Serializer>(
    attributes: &[Attribute],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|it| (&it.name, &it.value)))
}

/// The attributes that a union of attribute tables holds.
pub(super) fn attributes(options: &impl Debug) -> Vec<Attribute> {
    let text = format!("{options:?}");
    // A table without fields prints no braces.
    let Some((_, rest)) = text.split_once('{') else { return Vec::new() };
    let Some((body, _)) = rest.rsplit_once('}') else { return Vec::new() };
    let fields = split(body).into_iter().filter_map(|field| {
        let (name, value) = field.split_once(": ")?;
        // Fields with names that are words of Rust end with an underscore.
        let name = name.trim_end_matches('_').to_owned();
        Some(Attribute { name, value: parse(value.trim()) })
    });
    fields.collect()
}

/// The parts between commas that are not within brackets or quotes.
fn split(body: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in body.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn parse(text: &str) -> Value {
    if text == "None" {
        return Value::Null;
    }
    let inner = text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
    if let Some(list) = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return split(list).into_iter().map(parse).collect();
    }
    // What is not JSON is the name of an enumeration's value, or NaN.
    serde_json::from_str(inner).unwrap_or_else(|_| Value::String(inner.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{
        BuiltinOptions2T, BuiltinOptionsT, Conv2DOptionsT, LSHProjectionOptionsT,
        LeakyReluOptionsT, Padding, ReshapeOptionsT, StableHLOCompositeOptionsT,
    };

    fn json_of(options: &impl Debug) -> Value {
        attributes(options).into_iter().map(|it| (it.name, it.value)).collect()
    }

    #[test]
    fn numbers_names_and_lists() {
        let convolution = Conv2DOptionsT {
            padding: Padding::VALID,
            stride_w: 2,
            dilation_h_factor: -1,
            ..Conv2DOptionsT::default()
        };
        assert_eq!(
            json_of(&BuiltinOptionsT::Conv2DOptions(Box::new(convolution))),
            json!({
                "padding": "VALID",
                "stride_w": 2,
                "stride_h": 0,
                "fused_activation_function": "NONE",
                "dilation_w_factor": 1,
                "dilation_h_factor": -1,
                "quantized_bias_type": "FLOAT32",
            })
        );
        let shape = ReshapeOptionsT { new_shape: Some(vec![1, -1]) };
        let reshape = BuiltinOptionsT::ReshapeOptions(Box::new(shape));
        assert_eq!(json_of(&reshape), json!({ "new_shape": [1, -1] }));
        let reshape = BuiltinOptionsT::ReshapeOptions(Box::default());
        assert_eq!(json_of(&reshape), json!({ "new_shape": null }));
        let projection = LSHProjectionOptionsT::default();
        let projection = BuiltinOptionsT::LSHProjectionOptions(Box::new(projection));
        assert_eq!(json_of(&projection), json!({ "type": "UNKNOWN" }));
    }

    #[test]
    fn floats_that_are_not_numbers_are_names() {
        for (alpha, expected) in
            [(0.5, json!(0.5)), (f32::NAN, json!("NaN")), (f32::INFINITY, json!("inf"))]
        {
            let options = LeakyReluOptionsT { alpha };
            let options = BuiltinOptionsT::LeakyReluOptions(Box::new(options));
            assert_eq!(json_of(&options), json!({ "alpha": expected }));
        }
    }

    #[test]
    fn texts_may_have_any_characters() {
        let composite = StableHLOCompositeOptionsT {
            name: Some("a, b: [\"c\" {".to_owned()),
            composite_attributes: Some(vec![1, 2]),
            ..StableHLOCompositeOptionsT::default()
        };
        let options = BuiltinOptions2T::StableHLOCompositeOptions(Box::new(composite));
        let json = json_of(&options);
        assert_eq!(json["name"], "a, b: [\"c\" {");
        assert_eq!(json["composite_attributes"], json!([1, 2]));
        assert_eq!(json["version"], 0);
    }

    #[test]
    fn none() {
        assert!(attributes(&BuiltinOptionsT::NONE).is_empty());
        assert!(attributes(&BuiltinOptionsT::AbsOptions(Box::default())).is_empty());
    }
}
