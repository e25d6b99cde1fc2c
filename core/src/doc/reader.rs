//! Reading the tree as rows, now or at a commit.
//!
//! An edge of commit `c` is the row in head, if it is not younger than `c`; otherwise the first row in past that ends after `c`, if that one
//! is not younger. Ends are sorted, so that this is one seek, however many versions there were.

use super::rows::{
    ABOVE, DOCUMENT, Edge, FIRST, HEAD, Here, Node, PAST, Shape, What, head_key, head_parts,
    node_prefix, past_behind, past_key, past_parts,
};
use crate::{
    Result,
    engine::{Direction, KeyRange, View},
    port::Volume,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// What is read: which scope, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub scope: u64,
    /// The commit, or [`NOW`].
    pub at: u64,
    /// Of a scope: the commit of the document that it began with.
    pub base: u64,
}

/// Later than every commit: head alone says what is there.
pub(crate) const NOW: u64 = u64::MAX;

/// More versions of one step than this are jumped over.
const JUMP: usize = 8;

impl Moment {
    /// The document at a commit.
    pub(crate) fn document(at: u64) -> Moment {
        Moment {
            scope: DOCUMENT,
            at,
            base: 0,
        }
    }

    /// What a scope shows of the document.
    fn below(self) -> Moment {
        Moment::document(self.base)
    }
}

/// The rows as they are in a view.
pub(crate) struct Reader<V> {
    pub view: View<V>,
}

impl<V: Volume> Reader<V> {
    /// The edge of `step` in `node`, as it was at `at`.
    pub(crate) async fn edge(
        &self,
        scope: u64,
        node: u64,
        step: &[u8],
        at: u64,
    ) -> Result<Option<Edge>> {
        let key = head_key(scope, node, step);
        if let Some(row) = self.view.get(HEAD, &key).await? {
            let edge = Edge::decode(&row)?;
            if edge.since <= at {
                return Ok(Some(edge));
            }
        }
        if at == NOW {
            return Ok(None);
        }
        let range = KeyRange::between(
            past_key(scope, node, step, at.saturating_add(1)),
            past_behind(scope, node, step),
        );
        // Ends are commits: what ends later was written later.
        let Some(row) = self.view.first_of_rising(PAST, &range).await? else {
            return Ok(None);
        };
        let edge = Edge::decode(&row)?;
        Ok((edge.since <= at).then_some(edge))
    }

    /// What the root was.
    pub(crate) async fn root(&self, moment: Moment) -> Result<Here> {
        if let Some(edge) = self.edge(moment.scope, ABOVE, &[], moment.at).await?
            && let Some(here) = edge.what.here()
        {
            return Ok(here);
        }
        if moment.scope == DOCUMENT {
            return Ok(first());
        }
        let below = moment.below();
        let edge = self.edge(DOCUMENT, ABOVE, &[], below.at).await?;
        let here = edge.and_then(|edge| edge.what.here());
        Ok(here.unwrap_or_else(first).shown())
    }

    /// What `step` of a container led to.
    pub(crate) async fn child(
        &self,
        moment: Moment,
        node: &Node,
        step: &[u8],
    ) -> Result<Option<Here>> {
        if let Some(own) = node.own
            && let Some(edge) = self.edge(moment.scope, own, step, moment.at).await?
        {
            return Ok(edge.what.here());
        }
        self.shown(moment, node, step).await
    }

    /// What `step` led to in the document's container that a scope's is a copy of.
    pub(crate) async fn shown(
        &self,
        moment: Moment,
        node: &Node,
        step: &[u8],
    ) -> Result<Option<Here>> {
        let Some(base) = node.base else {
            return Ok(None);
        };
        let edge = self.edge(DOCUMENT, base, step, moment.base).await?;
        Ok(edge.and_then(|edge| edge.what.here()).map(Here::shown))
    }

    /// All that is in a container, in the order of the steps.
    pub(crate) async fn children(
        &self,
        moment: Moment,
        node: &Node,
    ) -> Result<Vec<(Vec<u8>, Here)>> {
        let own = match node.own {
            Some(own) => self.edges(moment.scope, own, moment.at).await?,
            None => Vec::new(),
        };
        let own = own.into_iter().map(|(step, edge)| (step, edge.what));
        let Some(base) = node.base else {
            return Ok(own
                .filter_map(|(step, what)| Some((step, what.here()?)))
                .collect());
        };
        let mut all = BTreeMap::new();
        for (step, edge) in self.edges(DOCUMENT, base, moment.base).await? {
            all.extend(edge.what.here().map(|here| (step, here.shown())));
        }
        for (step, what) in own {
            match what.here() {
                Some(here) => all.insert(step, here),
                None => all.remove(&step),
            };
        }
        Ok(all.into_iter().collect())
    }

    /// The edges of one node as they were at `at`.
    pub(crate) async fn edges(
        &self,
        scope: u64,
        node: u64,
        at: u64,
    ) -> Result<Vec<(Vec<u8>, Edge)>> {
        let mut edges = Vec::new();
        let prefix = node_prefix(scope, node);
        let range = KeyRange::prefix(prefix.clone());
        let mut head = self.view.scan(HEAD, range, Direction::Forward).nearby();
        while let Some(entry) = head.next().await? {
            let edge = Edge::decode(&head.value().await?)?;
            if edge.since <= at {
                edges.push((head_parts(&entry.key)?.1.to_vec(), edge));
            }
        }
        if at == NOW {
            return Ok(edges);
        }
        let present = edges.len();
        let end = KeyRange::prefix(prefix.clone()).end;
        let mut start = prefix;
        // One seek for each step that has many versions.
        'seek: loop {
            let range = KeyRange {
                start: start.into(),
                end: end.clone(),
            };
            let mut past = self.view.scan(PAST, range, Direction::Forward).nearby();
            let (mut last, mut versions, mut found) = (None, 0, false);
            loop {
                let Some(entry) = past.next().await? else {
                    break 'seek;
                };
                let (_, step, until) = past_parts(&entry.key)?;
                if last.as_ref() != Some(&step) {
                    (last, versions, found) = (Some(step.clone()), 0, false);
                }
                versions += 1;
                if until > at && !found {
                    found = true;
                    let edge = Edge::decode(&past.value().await?)?;
                    if edge.since <= at {
                        edges.push((step.clone(), edge));
                    }
                }
                if versions >= JUMP {
                    start = match found {
                        true => past_behind(scope, node, &step),
                        false => past_key(scope, node, &step, at.saturating_add(1)),
                    };
                    // What is found next may be of the same step, but it is not behind `at`.
                    continue 'seek;
                }
            }
        }
        if edges.len() > present {
            // Two runs that are sorted.
            edges.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Ok(edges)
    }

    /// The edges of a node from one end on, now.
    pub(crate) fn head_scan(
        &self,
        scope: u64,
        node: u64,
        direction: Direction,
    ) -> crate::engine::Scan<V> {
        let range = KeyRange::prefix(node_prefix(scope, node));
        self.view.scan(HEAD, range, direction).nearby()
    }
}

/// What the document is before anything was set at its root.
pub(crate) fn first() -> Here {
    Here::Node(Node::own(Shape::Object, FIRST))
}

/// The edge that stands for [`first`].
pub(crate) fn first_edge() -> Edge {
    Edge::new(
        0,
        What::Node {
            shape: Shape::Object,
            node: FIRST,
        },
    )
}
