//! Values and places in the tree as rows.

use super::{
    Path, Pattern, Step, Value,
    apply::is_key,
    reader::{Moment, NOW, Reader},
    rows::{Here, Node, Shape, ordered, take_ordered, unreadable},
    slot,
};
use crate::{Result, engine::Direction, port::Volume};
use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};

/// What is in a container, step by step.
pub(crate) type Children = Vec<(Vec<u8>, Here)>;

/// A tree that can be asked for what is in a container: rows at a moment, or rows and the changes of a commit that is being made.
pub(crate) trait Containers {
    async fn child(&mut self, node: &Node, step: &[u8]) -> Result<Option<Here>>;
    async fn children(&mut self, node: &Node) -> Result<Children>;
    /// The slots at the two ends of a dense list, if they are known without reading it.
    async fn ends(&mut self, node: &Node) -> Result<Option<Ends>>;
}

/// First and last slot of a dense list; `None` for an empty one.
pub(crate) type Ends = Option<(i64, i64)>;

/// The elements of a list by their index.
pub(crate) enum Elements {
    /// Consecutive numbers: the first one, and how many.
    Dense(i64, u64),
    Slots(Vec<Vec<u8>>),
}

impl Elements {
    pub(crate) async fn of<T: Containers>(tree: &mut T, list: &Node) -> Result<Elements> {
        if list.shape == (Shape::List { dense: true })
            && let Some(ends) = tree.ends(list).await?
        {
            return Ok(match ends {
                None => Elements::Dense(0, 0),
                Some((first, last)) => {
                    Elements::Dense(first, last.abs_diff(first).saturating_add(1))
                }
            });
        }
        let children = tree.children(list).await?;
        let slots: Vec<_> = children.into_iter().map(|(step, _)| step).collect();
        if list.shape == (Shape::List { dense: true }) {
            let first = match slots.first() {
                Some(slot) => slot::as_number(slot)?.ok_or_else(|| unreadable("a dense list"))?,
                None => 0,
            };
            return Ok(Elements::Dense(first, slots.len() as u64));
        }
        Ok(Elements::Slots(slots))
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Elements::Dense(_, len) => *len,
            Elements::Slots(slots) => slots.len() as u64,
        }
    }

    /// The slot at an index.
    pub(crate) fn slot(&self, index: u64) -> Option<Vec<u8>> {
        match self {
            Elements::Dense(first, len) => (index < *len)
                .then(|| first.checked_add_unsigned(index).map(slot::number))
                .flatten(),
            Elements::Slots(slots) => slots.get(usize::try_from(index).ok()?).cloned(),
        }
    }

    /// The index of a slot.
    pub(crate) fn index(&self, slot: &[u8]) -> Result<Option<u64>> {
        Ok(match self {
            Elements::Dense(first, len) => slot::as_number(slot)?
                .and_then(|number| u64::try_from(number.checked_sub(*first)?).ok())
                .filter(|index| index < len),
            Elements::Slots(slots) => slots
                .binary_search_by(|other| other.as_slice().cmp(slot))
                .ok()
                .map(|index| index as u64),
        })
    }

    /// New slots in front of the first element, in their order.
    pub(crate) fn before_first(&self, count: u64) -> Result<Vec<Vec<u8>>> {
        let mut slots = Vec::new();
        let mut after = self.slot(0);
        for _ in 0..count {
            let slot = slot::between(None, after.as_deref())?;
            slots.push(slot.clone());
            after = Some(slot);
        }
        slots.reverse();
        Ok(slots)
    }

    /// New slots between the element before `index` and the one at it, in their order.
    pub(crate) fn behind(&self, index: u64, count: u64) -> Result<Vec<Vec<u8>>> {
        let mut slots = Vec::new();
        let mut before = index.checked_sub(1).and_then(|index| self.slot(index));
        let after = self.slot(index);
        for _ in 0..count {
            let slot = slot::between(before.as_deref(), after.as_deref())?;
            slots.push(slot.clone());
            before = Some(slot);
        }
        Ok(slots)
    }
}

/// The step of a row for a step of a path; `None` if nothing can be there.
pub(crate) async fn row_step<T: Containers>(
    tree: &mut T,
    node: &Node,
    step: &Step,
) -> Result<Option<Vec<u8>>> {
    Ok(match (node.shape, step) {
        (Shape::Object, Step::Field(name)) => Some(name.as_bytes().to_vec()),
        (Shape::Sparse, Step::Sparse(index)) => Some(ordered(*index)),
        (Shape::List { .. }, Step::Index(index)) => Elements::of(tree, node).await?.slot(*index),
        (
            Shape::List { .. },
            Step::Key {
                field: Some(field),
                key,
            },
        ) => {
            let mut found = None;
            for (slot, here) in tree.children(node).await? {
                if let Here::Node(element) = here
                    && element.shape == Shape::Object
                    && let Some(Here::Scalar(value)) =
                        tree.child(&element, field.as_bytes()).await?
                    && is_key(&value, key)
                {
                    found = Some(slot);
                    break;
                }
            }
            found
        }
        _ => None,
    })
}

/// What is at `path` below `here`.
pub(crate) async fn find<T: Containers>(
    tree: &mut T,
    mut here: Here,
    steps: &[Step],
) -> Result<Option<Here>> {
    for step in steps {
        let Here::Node(node) = here else {
            return Ok(None);
        };
        let Some(row) = row_step(tree, &node, step).await? else {
            return Ok(None);
        };
        match tree.child(&node, &row).await? {
            Some(below) => here = below,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

/// All of what is there. Containers are read one after another, parents first, and put together from the last one on.
pub(crate) async fn value<T: Containers>(tree: &mut T, here: Here) -> Result<Value> {
    let root = match here {
        Here::Scalar(value) => return Ok(value),
        Here::Node(node) => node,
    };
    enum Part {
        Scalar(Value),
        Below(usize),
    }
    let mut nodes = vec![root];
    let mut parts: Vec<Vec<(Vec<u8>, Part)>> = Vec::new();
    while let Some(node) = nodes.get(parts.len()).copied() {
        let children = tree.children(&node).await?;
        let read = children.into_iter().map(|(step, here)| match here {
            Here::Scalar(value) => (step, Part::Scalar(value)),
            Here::Node(below) => {
                nodes.push(below);
                (step, Part::Below(nodes.len() - 1))
            }
        });
        parts.push(read.collect());
    }
    let mut made: Vec<Option<Value>> = nodes.iter().map(|_| None).collect();
    for (position, node) in nodes.iter().enumerate().rev() {
        let mut children = Vec::new();
        for (step, part) in parts.pop().unwrap_or_default() {
            let value = match part {
                Part::Scalar(value) => value,
                Part::Below(below) => made
                    .get_mut(below)
                    .and_then(Option::take)
                    .ok_or_else(|| unreadable("a container"))?,
            };
            children.push((step, value));
        }
        let value = assemble(node.shape, children)?;
        if let Some(place) = made.get_mut(position) {
            *place = Some(value);
        }
    }
    made.first_mut()
        .and_then(Option::take)
        .ok_or_else(|| unreadable("a container"))
}

fn assemble(shape: Shape, children: Vec<(Vec<u8>, Value)>) -> Result<Value> {
    Ok(match shape {
        Shape::List { .. } => Value::List(children.into_iter().map(|(_, value)| value).collect()),
        Shape::Object => {
            let mut fields = BTreeMap::new();
            for (step, value) in children {
                fields.insert(field_name(step)?, value);
            }
            Value::Object(fields)
        }
        Shape::Sparse => {
            let mut values = BTreeMap::new();
            for (step, value) in children {
                values.insert(sparse_index(&step)?, value);
            }
            Value::Sparse(values)
        }
    })
}

pub(crate) fn field_name(step: Vec<u8>) -> Result<String> {
    String::from_utf8(step).map_err(|_| unreadable("the name of a field"))
}

pub(crate) fn sparse_index(step: &[u8]) -> Result<u64> {
    match take_ordered(step)? {
        (index, []) => Ok(index),
        _ => Err(unreadable("an index")),
    }
}

/// The tree in a view at a moment.
pub(crate) struct Then<'a, V> {
    pub rows: &'a Reader<V>,
    pub moment: Moment,
}

impl<V: Volume> Then<'_, V> {
    /// What is at `path`.
    pub(crate) async fn here(&mut self, path: &Path) -> Result<Option<Here>> {
        let root = self.rows.root(self.moment).await?;
        find(self, root, path.steps()).await
    }

    /// All of what is at `path`.
    pub(crate) async fn value(&mut self, path: &Path) -> Result<Option<Value>> {
        match self.here(path).await? {
            Some(here) => value(self, here).await.map(Some),
            None => Ok(None),
        }
    }
}

impl<V: Volume> Then<'_, V> {
    /// Every place that `pattern` stands for, with what is there, in the order of the tree.
    pub(crate) async fn matching(&mut self, pattern: &Pattern) -> Result<Vec<(Path, Value)>> {
        let root = self.rows.root(self.moment).await?;
        let mut found = vec![(Path::ROOT, root)];
        for position in 0..pattern.len() {
            let mut below = Vec::new();
            for (path, here) in found {
                match (pattern.step(position), here) {
                    (Some(Some(step)), here) => {
                        if let Some(here) = find(self, here, core::slice::from_ref(step)).await? {
                            below.push((path.child(step.clone())?, here));
                        }
                    }
                    (_, Here::Node(node)) => {
                        for (index, (row, here)) in (0..).zip(self.children(&node).await?) {
                            let step = match node.shape {
                                Shape::Object => Step::Field(field_name(row)?),
                                Shape::Sparse => Step::Sparse(sparse_index(&row)?),
                                Shape::List { .. } => Step::Index(index),
                            };
                            if pattern.takes(position, &step) {
                                below.push((path.child(step)?, here));
                            }
                        }
                    }
                    _ => {}
                }
            }
            found = below;
        }
        let mut values = Vec::new();
        for (path, here) in found {
            values.push((path, value(self, here).await?));
        }
        Ok(values)
    }
}

impl<V: Volume> Containers for Then<'_, V> {
    fn child(&mut self, node: &Node, step: &[u8]) -> impl Future<Output = Result<Option<Here>>> {
        self.rows.child(self.moment, node, step)
    }

    fn children(&mut self, node: &Node) -> impl Future<Output = Result<Children>> {
        self.rows.children(self.moment, node)
    }

    async fn ends(&mut self, node: &Node) -> Result<Option<Ends>> {
        let (Some(own), None, NOW) = (node.own, node.base, self.moment.at) else {
            return Ok(None);
        };
        let mut ends = Vec::new();
        for direction in [Direction::Forward, Direction::Backward] {
            let mut scan = self.rows.head_scan(self.moment.scope, own, direction);
            match scan.next().await? {
                Some(entry) => {
                    let (_, step) = super::rows::head_parts(&entry.key)?;
                    ends.extend(slot::as_number(step)?);
                }
                None => return Ok(Some(None)),
            }
        }
        match ends.as_slice() {
            [first, last] => Ok(Some(Some((*first, *last)))),
            _ => Err(unreadable("a dense list")),
        }
    }
}
