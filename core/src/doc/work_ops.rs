//! The operations on rows. They do what `apply.rs` does to a value in memory, and refuse what it refuses; tests hold both together.

use super::{
    Op, Path, Step, Value, ValueKind,
    apply::{
        add, check_all, check_shift, container_for, misfit, nothing_there, out_of_list, test,
        with_key,
    },
    load::{Containers, Elements, row_step, value},
    normal::Tree,
    refusal::Refusal,
    rows::{Here, Node, Shape},
    slot,
    work::{Thing, Trail, Work},
};
use crate::{Result, port::Volume};
use alloc::{format, vec::Vec};

impl<V: Volume> Tree for Work<V> {
    async fn kind_at(&mut self, path: &Path) -> Result<Option<ValueKind>> {
        Ok(self.here(path).await?.map(|here| here.kind()))
    }

    fn value_at(&mut self, path: &Path) -> impl Future<Output = Result<Option<Value>>> {
        self.load(path)
    }

    async fn apply(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Test {
                path,
                expected: None,
            } if self.here(path).await?.is_none() => Ok(()),
            Op::Test { path, expected } => {
                let found = self.load(path).await?;
                test(found.as_ref(), expected.as_ref(), path)
            }
            Op::Set { path, value } => self.set(path, value).await,
            Op::Delete { path } => self.remove(path).await.map(drop),
            Op::Splice {
                path,
                at,
                remove,
                insert,
            } => {
                let (trail, list) = self.list(path).await?;
                check_all(insert, path)?;
                let insert = insert.iter().cloned().map(Thing::Value).collect();
                self.splice(trail, list, path, *at, *remove, insert).await
            }
            Op::Append { path, values } => {
                check_all(values, path)?;
                let (trail, list) = self.list(path).await?;
                let len = Elements::of(self, &list).await?.len();
                let insert = values.iter().cloned().map(Thing::Value).collect();
                self.splice(trail, list, path, len, 0, insert).await
            }
            Op::Increment { path, by } => self.increment(path, by).await,
            Op::Move { from, to } => self.shift(from, to).await,
        }
    }
}

impl<V: Volume> Work<V> {
    /// What is at `path`, which is there.
    async fn existing(&mut self, path: &Path) -> Result<(Trail, Here)> {
        let mut here = self.root().await?;
        let mut trail = Trail::new();
        for (position, step) in path.steps().iter().enumerate() {
            let place = position + 1;
            here = match self.enter(here, step, path, position).await? {
                (node, Some((row, below))) => {
                    trail.push((node, row));
                    below
                }
                _ => return Err(nothing_there().at(&path.prefix(place))),
            };
        }
        Ok((trail, here))
    }

    /// The container that `step` is applied to, and what is there under which step of a row.
    async fn enter(
        &mut self,
        here: Here,
        step: &Step,
        path: &Path,
        position: usize,
    ) -> Result<(Node, Option<(Vec<u8>, Here)>)> {
        if let Some(refusal) = misfit(here.kind(), step) {
            return Err(refusal.at(&path.prefix(position)));
        }
        let Here::Node(node) = here else {
            return Err(nothing_there().at(&path.prefix(position)));
        };
        let Some(row) = row_step(self, &node, step).await? else {
            return Ok((node, None));
        };
        let below = self.child(&node, &row).await?;
        Ok((node, below.map(|below| (row, below))))
    }

    /// What the last step of `path` is applied to; makes what is missing on the way.
    async fn open(&mut self, path: &Path) -> Result<(Trail, Here)> {
        let mut here = self.root().await?;
        let mut trail = Trail::new();
        let steps = path.steps();
        for (position, (step, next)) in steps.iter().zip(steps.iter().skip(1)).enumerate() {
            let (mut node, mut found) = self.enter(here, step, path, position).await?;
            if found.is_none() {
                let place = path.prefix(position + 1);
                let made = container_for(next).ok_or_else(|| nothing_there().at(&place))?;
                self.put_child(&mut trail, node, step, made, &place).await?;
                // In a scope, the container may have become one that can be written.
                let here = self.again(&trail).await?;
                (node, found) = self.enter(here, step, path, position).await?;
            }
            let Some((row, below)) = found else {
                return Err(nothing_there().at(&path.prefix(position + 1)));
            };
            trail.push((node, row));
            here = below;
        }
        Ok((trail, here))
    }

    /// What is at the end of a trail now.
    async fn again(&mut self, trail: &Trail) -> Result<Here> {
        let mut here = self.root().await?;
        for (_, step) in trail {
            if let Here::Node(node) = here {
                here = self
                    .child(&node, step)
                    .await?
                    .ok_or_else(|| super::rows::unreadable("a container"))?;
            }
        }
        Ok(here)
    }

    /// Puts a value into a container of the right kind, in place of what is there.
    async fn put_child(
        &mut self,
        trail: &mut Trail,
        node: Node,
        step: &Step,
        value: Value,
        place: &Path,
    ) -> Result<()> {
        let value = match step {
            Step::Key {
                field: Some(field),
                key,
            } => with_key(value, field, key).map_err(|refusal| refusal.at(place))?,
            _ => value,
        };
        self.put_thing(trail, node, step, Thing::Value(value), place)
            .await
    }

    async fn put_thing(
        &mut self,
        trail: &mut Trail,
        node: Node,
        step: &Step,
        thing: Thing,
        place: &Path,
    ) -> Result<()> {
        match row_step(self, &node, step).await? {
            Some(row) => {
                let own = self.claim(trail, &node).await?;
                self.put(own, &row, thing).await
            }
            None => match step {
                Step::Index(_) => {
                    let len = Elements::of(self, &node).await?.len();
                    Err(out_of_list(len).at(place))
                }
                Step::Key { .. } => {
                    let len = Elements::of(self, &node).await?.len();
                    let insert = [thing].into();
                    self.splice(trail.clone(), node, place, len, 0, insert)
                        .await
                }
                _ => Err(nothing_there().at(place)),
            },
        }
    }

    /// What is at `path`; if nothing is there and its container is, `new` is put there.
    async fn or_new(&mut self, path: &Path, new: Value) -> Result<(Trail, Here)> {
        if let Some((parent, step)) = path.split()
            && matches!(step, Step::Field(_) | Step::Sparse(_))
        {
            let (mut trail, here) = self.existing(&parent).await?;
            let depth = parent.steps().len();
            if let (node, None) = self.enter(here, step, path, depth).await? {
                new.check(path.steps().len())
                    .map_err(|refusal| refusal.at(path))?;
                self.put_child(&mut trail, node, step, new, path).await?;
            }
        }
        self.existing(path).await
    }

    async fn list(&mut self, path: &Path) -> Result<(Trail, Node)> {
        match self.or_new(path, Value::List(Vec::new())).await? {
            (trail, Here::Node(node)) if node.shape.kind() == ValueKind::List => Ok((trail, node)),
            (_, here) => {
                let kind = here.kind();
                Err(Refusal::state(format!("{kind} is there, not a list")).at(path))
            }
        }
    }

    async fn set(&mut self, path: &Path, value: &Value) -> Result<()> {
        value
            .check(path.steps().len())
            .map_err(|refusal| refusal.at(path))?;
        let Some((parent, step)) = path.split() else {
            let root = Thing::Value(value.clone());
            return self.put(super::rows::ABOVE, &[], root).await;
        };
        let (mut trail, here) = self.open(path).await?;
        match (misfit(here.kind(), step), here) {
            (Some(refusal), _) => Err(refusal.at(&parent)),
            (None, Here::Node(node)) => {
                self.put_child(&mut trail, node, step, value.clone(), path)
                    .await
            }
            (None, Here::Scalar(_)) => Err(nothing_there().at(path)),
        }
    }

    async fn remove(&mut self, path: &Path) -> Result<Here> {
        let Some((parent, step)) = path.split() else {
            return Err(Refusal::invalid("the root is always there").at(path));
        };
        let (mut trail, here) = self.existing(&parent).await?;
        let depth = parent.steps().len();
        let (node, found) = self.enter(here, step, path, depth).await?;
        let Some((row, below)) = found else {
            return Err(nothing_there().at(path));
        };
        if let Shape::List { .. } = node.shape {
            let elements = Elements::of(self, &node).await?;
            let index = elements
                .index(&row)?
                .ok_or_else(|| nothing_there().at(path))?;
            self.splice(trail, node, path, index, 1, Vec::new()).await?;
        } else {
            let own = self.claim(&mut trail, &node).await?;
            self.take_out(&node, own, &row).await?;
        }
        Ok(below)
    }

    async fn increment(&mut self, path: &Path, by: &Value) -> Result<()> {
        let (mut trail, here) = self.or_new(path, Value::Int(0)).await?;
        let number = match &here {
            Here::Scalar(value) => value.clone(),
            // Only its kind matters.
            Here::Node(node) => match node.shape {
                Shape::Object => Value::Object(Default::default()),
                Shape::Sparse => Value::Sparse(Default::default()),
                Shape::List { .. } => Value::List(Vec::new()),
            },
        };
        let sum = Thing::Value(add(&number, by).map_err(|refusal| refusal.at(path))?);
        match trail.pop() {
            Some((node, row)) => {
                let own = self.claim(&mut trail, &node).await?;
                self.put(own, &row, sum).await
            }
            None => self.put(super::rows::ABOVE, &[], sum).await,
        }
    }

    async fn shift(&mut self, from: &Path, to: &Path) -> Result<()> {
        let Some((parent, step)) = check_shift(from, to)? else {
            return self.existing(from).await.map(drop);
        };
        let moved = self.remove(from).await?;
        // Something that does not get deeper is not too deep.
        if to.steps().len() > from.steps().len() {
            let value = value(self, moved.clone()).await?;
            value
                .check(to.steps().len())
                .map_err(|refusal| refusal.at(to))?;
        }
        let (mut trail, here) = self.existing(&parent).await?;
        if let Some(refusal) = misfit(here.kind(), &step) {
            return Err(refusal.at(&parent));
        }
        let Here::Node(node) = here else {
            return Err(nothing_there().at(to));
        };
        let moved = Thing::Here(moved);
        match &step {
            Step::Index(index) => {
                let len = Elements::of(self, &node).await?.len();
                if *index > len {
                    return Err(out_of_list(len).at(to));
                }
                let insert = [moved].into();
                self.splice(trail, node, to, *index, 0, insert).await
            }
            _ => self.put_thing(&mut trail, node, &step, moved, to).await,
        }
    }

    /// Replaces elements of a list by others.
    async fn splice(
        &mut self,
        mut trail: Trail,
        list: Node,
        path: &Path,
        at: u64,
        remove: u64,
        insert: Vec<Thing>,
    ) -> Result<()> {
        let elements = Elements::of(self, &list).await?;
        let len = elements.len();
        let Some(end) = at.checked_add(remove).filter(|end| *end <= len) else {
            return Err(out_of_list(len).at(path));
        };
        if remove == 0 && insert.is_empty() {
            return Ok(());
        }
        let own = self.claim(&mut trail, &list).await?;
        let list = Node {
            own: Some(own),
            ..list
        };
        let added = (insert.len() as u64).saturating_sub(remove);
        let gone = remove.saturating_sub(insert.len() as u64);
        // At the front the first ones come or go, elsewhere the last ones: what stays in place keeps its slot.
        let front = at == 0 && end < len;
        let (mut slots, gone) = if front {
            let slots = elements.before_first(added)?;
            (slots, 0..gone)
        } else {
            (Vec::new(), end - gone..end)
        };
        for index in gone.clone() {
            if let Some(slot) = elements.slot(index) {
                self.take_out(&list, own, &slot).await?;
            }
        }
        slots.extend(
            (at..end)
                .filter(|index| !gone.contains(index))
                .filter_map(|index| elements.slot(index)),
        );
        if !front {
            slots.extend(elements.behind(end, added)?);
        }
        let tight = slots.iter().all(|slot| slot.len() <= slot::MAX_SLOT);
        for (slot, thing) in slots.iter().zip(insert) {
            self.put(own, slot, thing).await?;
        }
        let dense = front || end == len || added == 0 && gone.is_empty();
        if !dense && list.shape == (Shape::List { dense: true }) {
            self.reshape(&trail, Shape::List { dense: false }).await?;
        }
        if !tight {
            self.renumber(&trail, &list, own).await?;
        }
        Ok(())
    }

    /// Gives the elements of a list consecutive numbers for slots.
    async fn renumber(&mut self, trail: &Trail, list: &Node, own: u64) -> Result<()> {
        let children = self.children(list).await?;
        for (slot, _) in &children {
            self.take_out(list, own, slot).await?;
        }
        for (number, (_, here)) in (0..).zip(children) {
            self.put(own, &slot::number(number), Thing::Here(here))
                .await?;
        }
        self.reshape(trail, Shape::List { dense: true }).await
    }
}
