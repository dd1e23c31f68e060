//! What successive plans of one model share.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};

use crate::graph::{Constant, Model};

/// Packed weights, made once for all plans of a model whose shapes depend on the record. The default keeps
/// nothing: a model with one plan needs each of them once.
#[derive(Clone, Default)]
pub struct Packs(Option<Arc<Mutex<Kept>>>);

/// A purpose, and the addresses of constants.
type Key = (String, Vec<Option<usize>>);

#[derive(Default)]
struct Kept {
    /// Addresses of the constants of the model: they stay as they are, and where they are.
    lasting: HashSet<usize>,
    /// By purpose and addresses.
    made: HashMap<Key, Arc<dyn Any + Send + Sync>>,
}

impl Debug for Packs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Packs").field(&self.0.is_some()).finish()
    }
}

impl Packs {
    /// For all plans of `model`, which must be kept as long.
    pub(crate) fn of(model: &Model) -> Self {
        let tensors = model.subgraphs.iter().flat_map(|subgraph| &subgraph.tensors);
        let lasting = tensors.filter_map(|tensor| tensor.data.as_ref()).map(address).collect();
        Self(Some(Arc::new(Mutex::new(Kept { lasting, ..Kept::default() }))))
    }

    /// What `make` makes of these constants (`None` if one is left out), and of nothing else but `purpose`.
    pub fn get<T: Any + Send + Sync>(
        &self,
        purpose: &dyn Debug,
        constants: &[Option<&Constant>],
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let Some(kept) = &self.0 else { return Arc::new(make()) };
        let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses: Vec<_> = constants.iter().map(|it| it.map(address)).collect();
        if !addresses.iter().flatten().all(|address| lock().lasting.contains(address)) {
            return Arc::new(make());
        }
        let key = (format!("{purpose:?}"), addresses);
        let known = lock().made.get(&key).cloned();
        if let Some(Ok(known)) = known.map(Arc::downcast) {
            return known;
        }
        // Others may pack at the same time; the first one's stays.
        let made = Arc::new(make());
        let mut kept = lock();
        let first = kept.made.entry(key).or_insert_with(|| Arc::clone(&made) as _);
        Arc::clone(first).downcast().unwrap_or(made)
    }
}

fn address(constant: &Constant) -> usize {
    constant.bytes().as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Subgraph;
    use crate::tensor::AlignedBuffer;

    fn constant(value: f32) -> Constant {
        AlignedBuffer::copy_of(&[value]).into()
    }

    #[test]
    fn things_are_made_once_of_what_lasts() {
        let (weights, other) = (constant(1.0), constant(2.0));
        let packs = Packs::default();
        let make = |packs: &Packs, purpose: &str, of: &Constant| {
            packs.get(&purpose, &[Some(of), None], || of.as_slice::<f32>()[0])
        };
        assert!(!Arc::ptr_eq(&make(&packs, "a", &weights), &make(&packs, "a", &weights)));
        let tensor = crate::ops::testing::constant_tensor(weights.clone());
        let subgraph = Subgraph {
            name: String::new(),
            tensors: vec![tensor],
            inputs: Vec::new(),
            outputs: Vec::new(),
            nodes: Vec::new(),
        };
        let packs = Packs::of(&Model { description: String::new(), subgraphs: vec![subgraph] });
        let first = make(&packs, "a", &weights);
        assert!(Arc::ptr_eq(&first, &make(&packs, "a", &weights)));
        assert!(!Arc::ptr_eq(&first, &make(&packs, "b", &weights)));
        assert!(!Arc::ptr_eq(&make(&packs, "a", &other), &make(&packs, "a", &other)));
    }
}
