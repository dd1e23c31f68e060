use glob::Pattern;

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
        let (pattern, mut is_known) = (pattern(name)?, false);
        for (tensor, selected) in tensors.iter().zip(&mut selected) {
            if pattern.matches(&tensor.name) {
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

/// The pattern of a name in which `*` stands for anything, and nothing else is special.
fn pattern(name: &str) -> Result<Pattern> {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            // Two of them would mean folders.
            '*' if text.ends_with('*') => {}
            '*' => text.push('*'),
            c => text.push_str(&Pattern::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    Pattern::new(&text).map_err(|error| Error::usage(format!("`{name}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let matches = |name: &str, of: &str| pattern(name).unwrap().matches(of);
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
            ("a[0]?", "a[0]?"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("", "a"),
            ("a*a", "a"),
            ("*x*x*", "axa"),
            ("a*b*", "acd"),
            ("b*", "ab"),
            ("a?", "ab"),
        ] {
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
