//! An order of execution in which every operator comes after those that it reads from.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::graph::Subgraph;

/// Node positions in an order of execution: the model's own order wherever that is possible.
///
/// # Errors
/// If operators wait for each other in a circle.
pub(crate) fn execution_order(subgraph: &Subgraph) -> Result<Vec<usize>> {
    let mut producer = vec![None; subgraph.tensors.len()];
    for (i, node) in subgraph.nodes.iter().enumerate() {
        for &output in &node.outputs {
            producer[output] = Some(i);
        }
    }
    let mut waiting_for = vec![0_usize; subgraph.nodes.len()];
    let mut readers = vec![Vec::new(); subgraph.nodes.len()];
    for (i, node) in subgraph.nodes.iter().enumerate() {
        for from in node.inputs.iter().flatten().filter_map(|&input| producer[input]) {
            waiting_for[i] += 1;
            readers[from].push(i);
        }
    }
    let mut ready: BTreeSet<usize> =
        (0..subgraph.nodes.len()).filter(|&i| waiting_for[i] == 0).collect();
    let mut order = Vec::with_capacity(subgraph.nodes.len());
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for &reader in &readers[i] {
            waiting_for[reader] -= 1;
            if waiting_for[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() == subgraph.nodes.len() {
        return Ok(order);
    }
    let stuck: Vec<_> = (0..subgraph.nodes.len())
        .filter(|&i| waiting_for[i] > 0)
        .take(5)
        .map(|i| subgraph.nodes[i].title())
        .collect();
    Err(Error::model(format!("operators read each other in a circle: {}", stuck.join(", "))))
}
