//! A commit that is being made: operations on rows, kept in memory until all of them have been applied.
//!
//! Each edge that is looked at becomes a cell with what was there and what is there now. In the end, a cell that has changed is written: what
//! was there into past, what is there now into head. What it costs is what was looked at, whatever hangs below.
//!
//! The operations themselves are in `work_ops.rs`.

use super::{
    Path, Value,
    load::{Children, Containers, Ends, find, value},
    reader::{Moment, NOW, Reader, first_edge},
    rows::{
        ABOVE, DOCUMENT, Edge, HEAD, Here, Node, PAST, Shape, What, head_key, head_parts, ordered,
        past_key, unreadable,
    },
    slot,
};
use crate::{
    Result,
    engine::{Batch, Direction},
    port::Volume,
};
use alloc::{
    collections::BTreeMap,
    vec::{self, Vec},
};

pub(crate) struct Work<V> {
    pub rows: Reader<V>,
    moment: Moment,
    cells: BTreeMap<u64, BTreeMap<Vec<u8>, Cell>>,
    /// The edge at which a node was last seen or put.
    parents: BTreeMap<u64, (u64, Vec<u8>)>,
    /// Nodes from this one on were made here.
    fresh: u64,
    next_node: u64,
}

struct Cell {
    old: Option<Edge>,
    new: Option<What>,
}

/// `below` with what is set on top of it; both are in the order of their steps.
fn overlay(below: Children, set: Vec<(Vec<u8>, Option<Here>)>) -> Children {
    if set.is_empty() {
        return below;
    }
    let mut all = Children::with_capacity(below.len() + set.len());
    let mut below = below.into_iter().peekable();
    for (step, here) in set {
        while let Some(child) = below.next_if(|(other, _)| *other < step) {
            all.push(child);
        }
        let _ = below.next_if(|(other, _)| *other == step);
        all.extend(here.map(|here| (step, here)));
    }
    all.extend(below);
    all
}

/// The containers on the way to a place, and the step taken in each.
pub(crate) type Trail = Vec<(Node, Vec<u8>)>;

/// What is put somewhere.
pub(crate) enum Thing {
    Value(Value),
    /// What was somewhere else.
    Here(Here),
}

impl<V: Volume> Work<V> {
    /// Changes of a scope (or the document) as it is in the reader's view; `base` is the commit that a scope began with.
    pub(crate) fn new(rows: Reader<V>, scope: u64, base: u64, next_node: u64) -> Self {
        Work {
            rows,
            moment: Moment {
                scope,
                at: NOW,
                base,
            },
            cells: BTreeMap::new(),
            parents: BTreeMap::new(),
            fresh: next_node,
            next_node,
        }
    }

    /// The first number that no node has.
    pub(crate) fn next_node(&self) -> u64 {
        self.next_node
    }

    pub(crate) async fn root(&mut self) -> Result<Here> {
        let cell = self.cell(ABOVE, &[]).await?;
        match cell.new.as_ref().and_then(What::here) {
            Some(here) => Ok(here),
            None => self.rows.root(self.moment).await,
        }
    }

    /// What is at `path`.
    pub(crate) async fn here(&mut self, path: &Path) -> Result<Option<Here>> {
        let root = self.root().await?;
        find(self, root, path.steps()).await
    }

    /// All of what is at `path`.
    pub(crate) async fn load(&mut self, path: &Path) -> Result<Option<Value>> {
        match self.here(path).await? {
            Some(here) => value(self, here).await.map(Some),
            None => Ok(None),
        }
    }

    /// Writes what has changed as the changes of `commit`.
    pub(crate) fn write(&self, batch: &mut Batch, commit: u64) {
        let scope = self.moment.scope;
        for (node, cells) in &self.cells {
            let live = self.lives(*node);
            for (step, cell) in cells {
                let old = cell.old.as_ref();
                if old.map(|edge| &edge.what) == cell.new.as_ref() {
                    continue;
                }
                let went = old
                    .and_then(|edge| edge.what.node())
                    .is_some_and(|node| self.lives(node));
                // What was thrown away with all that is in it stays as it was, but for what was taken out before.
                if !live && !went {
                    continue;
                }
                if let Some(old) = old {
                    let past = Edge {
                        went,
                        ..old.clone()
                    };
                    batch.put(PAST, past_key(scope, *node, step, commit), past.encode());
                }
                let key = head_key(scope, *node, step);
                match cell.new.clone().filter(|_| live) {
                    Some(what) => {
                        let edge = Edge {
                            came: what.node().is_some_and(|node| node < self.fresh),
                            ..Edge::new(commit, what)
                        };
                        batch.put(HEAD, key, edge.encode());
                    }
                    None => batch.delete(HEAD, key),
                }
            }
        }
    }

    /// Whether a node can still be reached, as far as it was looked at.
    fn lives(&self, node: u64) -> bool {
        let mut node = node;
        // No tree is deeper than its parents are many.
        for _ in 0..=self.parents.len() {
            if node == ABOVE {
                return true;
            }
            let Some((parent, step)) = self.parents.get(&node) else {
                return false;
            };
            let cell = self.cells.get(parent).and_then(|cells| cells.get(step));
            let leads = cell.and_then(|cell| cell.new.as_ref()).and_then(What::node);
            if leads != Some(node) {
                return false;
            }
            node = *parent;
        }
        false
    }

    async fn cell(&mut self, node: u64, step: &[u8]) -> Result<&mut Cell> {
        let known = self
            .cells
            .get(&node)
            .is_some_and(|cells| cells.contains_key(step));
        let mut old = None;
        if !known && node < self.fresh {
            let scope = self.moment.scope;
            old = self.rows.edge(scope, node, step, NOW).await?;
            if node == ABOVE && scope == DOCUMENT && old.is_none() {
                old = Some(first_edge());
            }
            if let Some(below) = old.as_ref().and_then(|edge| edge.what.node()) {
                self.parents.insert(below, (node, step.to_vec()));
            }
        }
        let cells = self.cells.entry(node).or_default();
        Ok(cells.entry(step.to_vec()).or_insert_with(|| Cell {
            new: old.as_ref().map(|edge| edge.what.clone()),
            old,
        }))
    }

    async fn put_edge(&mut self, node: u64, step: &[u8], what: What) -> Result<()> {
        let below = what.node();
        self.cell(node, step).await?.new = Some(what);
        if let Some(below) = below {
            self.parents.insert(below, (node, step.to_vec()));
        }
        Ok(())
    }

    /// Takes `step` out of a container that can be written.
    pub(crate) async fn take_out(&mut self, node: &Node, own: u64, step: &[u8]) -> Result<()> {
        let shows = self.rows.shown(self.moment, node, step).await?.is_some();
        self.cell(own, step).await?.new = shows.then_some(What::Gone);
        Ok(())
    }

    /// Makes a container one that can be written: in a scope, it and all above it get nodes of their own.
    pub(crate) async fn claim(
        &mut self,
        trail: &mut [(Node, Vec<u8>)],
        node: &Node,
    ) -> Result<u64> {
        if let Some(own) = node.own {
            return Ok(own);
        }
        let mut parent = (ABOVE, Vec::new());
        for (above, step) in trail {
            let own = match above.own {
                Some(own) => own,
                None => self.lay_over(&parent, above).await?,
            };
            above.own = Some(own);
            parent = (own, step.clone());
        }
        self.lay_over(&parent, node).await
    }

    async fn lay_over(&mut self, parent: &(u64, Vec<u8>), node: &Node) -> Result<u64> {
        let base = node.base.ok_or_else(|| unreadable("a container"))?;
        let own = self.make_node();
        let what = What::Over {
            shape: node.shape,
            node: own,
            base,
        };
        self.put_edge(parent.0, &parent.1, what).await?;
        Ok(own)
    }

    /// Notes at its edge whether a list is dense.
    pub(crate) async fn reshape(&mut self, trail: &Trail, shape: Shape) -> Result<()> {
        let (parent, step) = match trail.last() {
            Some((above, step)) => (above.own, step.clone()),
            None => (Some(ABOVE), Vec::new()),
        };
        let parent = parent.ok_or_else(|| unreadable("a container"))?;
        let cell = self.cell(parent, &step).await?;
        match &mut cell.new {
            Some(What::Node { shape: now, .. } | What::Over { shape: now, .. }) => *now = shape,
            _ => return Err(unreadable("a list")),
        }
        Ok(())
    }

    fn make_node(&mut self) -> u64 {
        let node = self.next_node;
        self.next_node = self.next_node.saturating_add(1);
        node
    }

    /// Puts something at `step` of a container that can be written.
    pub(crate) async fn put(&mut self, node: u64, step: &[u8], thing: Thing) -> Result<()> {
        match thing {
            Thing::Value(value) => self.put_value(node, step, value).await,
            Thing::Here(Here::Scalar(value)) => {
                self.put_edge(node, step, What::Scalar(value)).await
            }
            Thing::Here(Here::Node(moved)) => {
                let shape = moved.shape;
                let what = match (moved.own, moved.base) {
                    (Some(node), None) => What::Node { shape, node },
                    (Some(node), Some(base)) => What::Over { shape, node, base },
                    (None, Some(base)) => What::Over {
                        shape,
                        node: self.make_node(),
                        base,
                    },
                    (None, None) => return Err(unreadable("a container")),
                };
                self.put_edge(node, step, what).await
            }
        }
    }

    /// A container that is put somewhere gets new nodes for itself and all that is in it.
    async fn put_value(&mut self, node: u64, step: &[u8], value: Value) -> Result<()> {
        enum Entries {
            List(vec::IntoIter<Value>, i64),
            Object(alloc::collections::btree_map::IntoIter<alloc::string::String, Value>),
            Sparse(alloc::collections::btree_map::IntoIter<u64, Value>),
        }
        let mut open: Vec<(u64, Entries)> = Vec::new();
        let mut next = Some((node, step.to_vec(), value));
        loop {
            if let Some((node, step, value)) = next.take() {
                let (shape, entries) = match value {
                    Value::List(values) => (
                        Shape::List { dense: true },
                        Entries::List(values.into_iter(), 0),
                    ),
                    Value::Object(fields) => (Shape::Object, Entries::Object(fields.into_iter())),
                    Value::Sparse(values) => (Shape::Sparse, Entries::Sparse(values.into_iter())),
                    scalar => {
                        self.put_edge(node, &step, What::Scalar(scalar)).await?;
                        continue;
                    }
                };
                let made = self.make_node();
                let what = What::Node { shape, node: made };
                self.put_edge(node, &step, what).await?;
                open.push((made, entries));
            }
            let Some((node, entries)) = open.last_mut() else {
                return Ok(());
            };
            let entry = match entries {
                Entries::List(values, at) => values.next().map(|value| {
                    let step = slot::number(*at);
                    *at = at.saturating_add(1);
                    (*node, step, value)
                }),
                Entries::Object(fields) => fields
                    .next()
                    .map(|(name, value)| (*node, name.into_bytes(), value)),
                Entries::Sparse(values) => values
                    .next()
                    .map(|(index, value)| (*node, ordered(index), value)),
            };
            match entry {
                Some(entry) => next = Some(entry),
                None => {
                    open.pop();
                }
            }
        }
    }
}

impl<V: Volume> Containers for Work<V> {
    async fn child(&mut self, node: &Node, step: &[u8]) -> Result<Option<Here>> {
        if let Some(own) = node.own
            && let Some(what) = &self.cell(own, step).await?.new
        {
            return Ok(what.here());
        }
        self.rows.shown(self.moment, node, step).await
    }

    async fn children(&mut self, node: &Node) -> Result<Children> {
        let mut all = Children::new();
        if let Some(base) = node.base {
            for (step, edge) in self.rows.edges(DOCUMENT, base, self.moment.base).await? {
                all.extend(edge.what.here().map(|here| (step, here.shown())));
            }
        }
        if let Some(own) = node.own {
            let cells = self.cells.get(&own);
            if own < self.fresh {
                let mut set = Vec::new();
                for (step, edge) in self.rows.edges(self.moment.scope, own, NOW).await? {
                    if cells.is_none_or(|cells| !cells.contains_key(&step)) {
                        set.push((step, edge.what.here()));
                    }
                }
                all = overlay(all, set);
            }
            let mut set = Vec::new();
            for (step, cell) in cells.into_iter().flatten() {
                if let Some(what) = &cell.new {
                    set.push((step.clone(), what.here()));
                }
            }
            all = overlay(all, set);
        }
        Ok(all)
    }

    async fn ends(&mut self, node: &Node) -> Result<Option<Ends>> {
        let (Some(own), None) = (node.own, node.base) else {
            return Ok(None);
        };
        let cells = self.cells.get(&own);
        let mut ends = Vec::new();
        for direction in [Direction::Forward, Direction::Backward] {
            let mut present = cells
                .into_iter()
                .flatten()
                .filter(|(_, cell)| cell.new.is_some())
                .map(|(step, _)| step.clone());
            let first = direction == Direction::Forward;
            let mut end = if first {
                present.next()
            } else {
                present.next_back()
            };
            if own < self.fresh {
                let mut scan = self.rows.head_scan(self.moment.scope, own, direction);
                while let Some(entry) = scan.next().await? {
                    let (_, step) = head_parts(&entry.key)?;
                    if cells.is_some_and(|cells| cells.contains_key(step)) {
                        continue;
                    }
                    let further = end.as_deref().is_none_or(|end| match first {
                        true => step < end,
                        false => step > end,
                    });
                    if further {
                        end = Some(step.to_vec());
                    }
                    break;
                }
            }
            match end {
                Some(step) => ends.extend(slot::as_number(&step)?),
                None => return Ok(Some(None)),
            }
        }
        match ends.as_slice() {
            [first, last] => Ok(Some(Some((*first, *last)))),
            _ => Err(unreadable("a dense list")),
        }
    }
}
