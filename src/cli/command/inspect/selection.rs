use crate::error::{Error, Result};
use crate::nearest::{did_you_mean, nearest};
use crate::recording::TensorEntry;

/// Which tensors have one of `names`, in which `*` stands for anything; all without names.
///
/// # Errors
/// If there is a name that no tensor has.
pub(super) fn selected(names: &[String], tensors: &[TensorEntry]) -> Result<Vec<bool>> {
    let mut selected = vec![names.is_empty(); tensors.len()];
    for name in names {
        let mut is_known = false;
        for (tensor, selected) in tensors.iter().zip(&mut selected) {
            if matches(name, &tensor.name) {
                (*selected, is_known) = (true, true);
            }
        }
        if !is_known {
            return Err(unknown(name, tensors));
        }
    }
    Ok(selected)
}

fn unknown(name: &str, tensors: &[TensorEntry]) -> Error {
    let error = Error::usage(format!("no tensor of the recording is called `{name}`"));
    match nearest(name.trim_matches('*'), tensors.iter().map(|it| it.name.as_str())) {
        Some(meant) => error.with_hint(did_you_mean(meant)),
        None => error.with_hint("`*` stands for anything; without --tensor all are listed"),
    }
}

/// Whether a pattern stands for `name`: its parts between stars follow each other there, the first one at the
/// start, the last one at the end.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        // The first place leaves the most for what follows.
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in [
            ("a/b", "a/b"),
            ("*", ""),
            ("*", "a/b"),
            ("a*", "a"),
            ("*b", "a/b"),
            ("a*c*e", "abcde"),
            ("*x*x*", "axxa"),
            ("a**b", "ab"),
            ("é*", "éa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("a", "ab"), ("", "a"), ("a*a", "a"), ("*x*x*", "axa"), ("a*b*", "acd"), ("b*", "ab")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn names_are_found_or_hinted_at() {
        let tensors = ["conv/Relu", "conv/add", "pool"].map(|name| TensorEntry {
            subgraph: 0,
            index: 0,
            name: name.to_owned(),
        });
        let select = |names: &[&str]| {
            selected(&names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>(), &tensors)
        };
        assert_eq!(select(&[]).unwrap(), [true; 3]);
        assert_eq!(select(&["conv/*"]).unwrap(), [true, true, false]);
        assert_eq!(select(&["pool", "*add"]).unwrap(), [false, true, true]);
        let error = select(&["conv/*", "conv/Relo"]).unwrap_err();
        assert_eq!(error.to_string(), "no tensor of the recording is called `conv/Relo`");
        assert_eq!(error.hint(), Some("did you mean `conv/Relu`?"));
    }
}
