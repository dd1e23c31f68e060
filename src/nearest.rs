//! What was probably meant by a name that there is not.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

/// The candidate that is most like `name`, if one is like it at all; among equals the first.
///
/// Names are alike if few letters are wrong, missing, too many or swapped, up to a third of the longer one and
/// at least one, or if `name` is a part of one candidate only. Capitals do not matter.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    let mut containing = Vec::new();
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let distance = strsim::osa_distance(&wanted, &lower);
        let longer = wanted.chars().count().max(lower.chars().count());
        let allowed = (longer / 3).max(1).min(longer.saturating_sub(1));
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
        if wanted.len() >= 3 && lower.contains(&wanted) {
            containing.push(candidate);
        }
    }
    match (best, containing.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        _ => None,
    }
}

/// The file beside `path`, which there is not, that was probably meant: one of the same name but for its ending,
/// the most similar of them, or else one of a similar name and the same ending. Hidden files are never meant.
pub(crate) fn nearest_file(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let names =
        folder.read_dir().ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|it| !it.starts_with('.')).collect();
    names.sort();
    let names = || names.iter().map(String::as_str);
    let (stem, ending) = parts(name);
    let same_stem = names().filter(|it| parts(it).0 == stem);
    let found = same_stem.min_by_key(|it| strsim::osa_distance(name, it)).or_else(|| {
        let same_ending = || names().filter(|it| parts(it).1 == ending);
        let meant = nearest(stem, same_ending().map(|it| parts(it).0))?;
        same_ending().find(|it| parts(it).0 == meant)
    });
    Some(path.with_file_name(found?))
}

/// A file's name without its ending, and this.
fn parts(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// What to ask about a name: for instance `` did you mean `image`? ``
pub(crate) fn did_you_mean(name: impl std::fmt::Display) -> String {
    format!("did you mean `{name}`?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_swapped_missing_or_too_many() {
        let names = ["image", "mask", "serving_default_audio:0"];
        for (name, expected) in [
            ("imgae", Some("image")),
            ("Image", Some("image")),
            ("images", Some("image")),
            ("msk", Some("mask")),
            ("audio", Some("serving_default_audio:0")),
            ("serving_default_audio", Some("serving_default_audio:0")),
            ("text", None),
            ("", None),
            ("a", None),
        ] {
            assert_eq!(nearest(name, names), expected, "{name}");
        }
        assert_eq!(nearest("x1", ["x0", "x2"]), Some("x0"));
        assert_eq!(nearest("dense", ["dense_layer_1", "dense_layer_2"]), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn files_beside_the_one_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "model.tflite",
            "out.circle",
            "out.rmm",
            "modes.circle",
            "data-1.h5",
            ".data-3.h5",
            "photo.png",
        ] {
            std::fs::write(path(name), "").unwrap();
        }
        for (name, expected) in [
            ("modle.tflite", Some("model.tflite")),
            ("model.circle", Some("model.tflite")),
            ("data-2.h5", Some("data-1.h5")),
            ("data-3.h5", Some("data-1.h5")),
            ("photo.jpeg", Some("photo.png")),
            ("out.rm", Some("out.rmm")),
            ("Out.circle", Some("out.circle")),
            ("nodes.circle", Some("modes.circle")),
            ("done.rmm", None),
            ("none", None),
            ("none/model.tflite", None),
        ] {
            assert_eq!(nearest_file(&path(name)), expected.map(path), "{name}");
        }
        assert_eq!(nearest_file(Path::new("/")), None);
    }
}
