//! Rows that hold rows that hold rows.

use ommi::prelude::*;

#[derive(Debug, Clone, Model)]
struct Node {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Node::id)]
    next_id: Option<i64>,
    next: BelongsTo<Option<Node>>,
}

/// As it comes about where somebody goes from row to row, each loaded from the one before it.
fn chain(nodes: i64) -> Node {
    (1..=nodes).fold(Node { id: 0, next_id: None, next: Default::default() }, |node, id| {
        let mut before = Node { id, next_id: Some(node.id), next: Default::default() };
        before.next.set(node);
        before
    })
}

/// Without a stack frame for each: a test's thread has two megabytes of stack.
#[test]
fn a_long_chain_is_dropped() {
    let first = chain(200_000);
    let mut node = &first;
    let mut steps = 0;
    while let Some(next) = node.next.get() {
        node = next;
        steps += 1;
    }
    assert_eq!((steps, node.id), (200_000, 0));
    let shared = first.clone();
    drop(first);
    assert_eq!(shared.next.get().map(|next| next.id), Some(199_999));
    drop(shared);
    // The next drop begins afresh.
    drop(chain(3));
}
