//! Strict serializability of a history.
//!
//! The order in which elements left a stage is the order of the sequence that the last stage holds in the end, so the
//! change that brought each count from one value to the next is known. Who saw a count at a value comes behind the change
//! to it and before the change from it; who ended before another began comes before that one. The history is explained
//! if and only if these edges make no circle: sorted topologically, it is an order of events with these very replies.
//!
//! The graph is linear in the size of the history: time is a chain of nodes, one for each end of an operation.
//!
//! A reply that an element was not there tells no count and makes no edge. An element whose push was refused may be
//! nowhere.
//!
//! In the terms of Adya's anomalies: edges from a change to the next of its count are ww, from a change to who saw it wr,
//! from who saw a count to its next change rw. Circles of them are G0, G1b, G1c, G-single and G2; with time, they are
//! what strict serializability adds. G1a is an element that was refused.

use super::{Act, History, Queue};
use std::collections::{HashMap, VecDeque};

/// A circle is shown up to this length.
const SHOWN: usize = 40;
/// Marks a change that nobody was told of: its client was gone.
const NOBODY: u32 = u32::MAX;

/// What a history tells when it is explained.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Explained {
    /// Operations.
    pub operations: usize,
    /// Replies in them.
    pub acts: usize,
    /// Edges between operations.
    pub edges: usize,
}

/// One of the three counts of a queue: their index among all.
fn count_of(queue: Queue, stage: usize) -> usize {
    queue as usize * 3 + stage
}

/// An act in terms of counts.
#[derive(Clone, Copy)]
enum Step {
    /// The count was this.
    Saw(usize, usize),
    /// The count was this and is one more now.
    Changed(usize, usize),
}

struct Sequences {
    /// Queue and place of each element.
    places: HashMap<u64, (Queue, usize)>,
    /// How far each count came.
    ends: Vec<usize>,
}

impl Sequences {
    fn of(history: &History) -> Result<Sequences, String> {
        let (mut places, mut ends) = (HashMap::new(), Vec::new());
        for (queue, [a, b, c]) in history.rest.iter().enumerate() {
            let queue = Queue::try_from(queue).map_err(|e| e.to_string())?;
            for (at, element) in c.iter().chain(b).chain(a).enumerate() {
                if places.insert(*element, (queue, at)).is_some() {
                    return Err(format!("element {element} is there twice in the end"));
                }
            }
            let (c, b, a) = (c.len(), b.len(), a.len());
            ends.extend([c + b + a, c + b, c]);
        }
        Ok(Sequences { places, ends })
    }

    fn place(&self, queue: Queue, element: u64) -> Result<usize, String> {
        match self.places.get(&element) {
            Some((of, at)) if *of == queue => Ok(*at),
            Some((of, _)) => Err(format!(
                "element {element} of queue {of} was seen in {queue}"
            )),
            None => Err(format!("element {element} of queue {queue} is lost")),
        }
    }

    /// What an act tells of the counts.
    fn steps(&self, act: &Act, steps: &mut Vec<Step>) -> Result<(), String> {
        match act {
            Act::Push {
                queue,
                element,
                len,
            } => {
                let at = self.place(*queue, *element)?;
                let len = usize::try_from(*len).map_err(|e| e.to_string())?;
                let gone = (at + 1).checked_sub(len);
                let gone = gone.ok_or_else(|| format!("{act:?} found more than was pushed"))?;
                steps.push(Step::Saw(count_of(*queue, 1), gone));
                steps.push(Step::Changed(count_of(*queue, 0), at));
            }
            Act::Move {
                queue,
                from,
                element,
            } => {
                let at = self.place(*queue, *element)?;
                steps.push(Step::Changed(count_of(*queue, from + 1), at));
            }
            Act::Window {
                queue,
                stage,
                elements,
            } => {
                let Some(first) = elements.first() else {
                    return Ok(());
                };
                let first = self.place(*queue, *first)?;
                for (i, element) in elements.iter().enumerate() {
                    if self.place(*queue, *element)? != first + i {
                        return Err(format!("{act:?} is out of order"));
                    }
                }
                steps.push(Step::Saw(count_of(*queue, stage + 1), first));
                steps.push(Step::Saw(count_of(*queue, *stage), first + elements.len()));
            }
            Act::Count { queue, elements } => {
                let elements = usize::try_from(*elements).map_err(|e| e.to_string())?;
                steps.push(Step::Saw(count_of(*queue, 2), elements));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Graph {
    edges: Vec<(u32, u32)>,
    nodes: u32,
}

impl Graph {
    fn node(&mut self) -> u32 {
        self.nodes += 1;
        self.nodes - 1
    }

    fn edge(&mut self, from: u32, to: u32) {
        if from != to {
            self.edges.push((from, to));
        }
    }

    /// The nodes of a circle, if there is one.
    fn circle(&self) -> Option<Vec<u32>> {
        let nodes = self.nodes as usize;
        let mut starts = vec![0usize; nodes + 1];
        let mut waits = vec![0u32; nodes];
        for (from, to) in &self.edges {
            starts[*from as usize + 1] += 1;
            waits[*to as usize] += 1;
        }
        for i in 0..nodes {
            starts[i + 1] += starts[i];
        }
        let mut fill = starts.clone();
        let mut targets = vec![0u32; self.edges.len()];
        for (from, to) in &self.edges {
            targets[fill[*from as usize]] = *to;
            fill[*from as usize] += 1;
        }
        let behind = |node: u32| &targets[starts[node as usize]..starts[node as usize + 1]];
        let mut free: Vec<u32> = (0..self.nodes)
            .filter(|n| waits[*n as usize] == 0)
            .collect();
        let mut sorted = 0;
        while let Some(node) = free.pop() {
            sorted += 1;
            for next in behind(node) {
                waits[*next as usize] -= 1;
                if waits[*next as usize] == 0 {
                    free.push(*next);
                }
            }
        }
        if sorted == nodes {
            return None;
        }
        // Whatever was not sorted lies on a circle or behind one. Each of them waits for another of them, so going
        // backwards ends in a circle.
        let mut before = vec![NOBODY; nodes];
        for (from, to) in &self.edges {
            if waits[*from as usize] > 0 {
                before[*to as usize] = *from;
            }
        }
        let mut at = (0..self.nodes).find(|n| waits[*n as usize] > 0)?;
        for _ in 0..nodes {
            at = before[at as usize];
        }
        shortest_circle(at, behind, nodes)
    }
}

/// The shortest way from a node of a circle back to it.
fn shortest_circle<'g>(
    start: u32,
    behind: impl Fn(u32) -> &'g [u32],
    nodes: usize,
) -> Option<Vec<u32>> {
    let mut from = vec![NOBODY; nodes];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in behind(node) {
            if *next == start {
                let mut circle = vec![node];
                while let Some(last) = circle.last().filter(|n| **n != start) {
                    circle.push(from[*last as usize]);
                }
                circle.reverse();
                return Some(circle);
            }
            if from[*next as usize] == NOBODY {
                from[*next as usize] = node;
                queue.push_back(*next);
            }
        }
    }
    None
}

/// Looks for an order of events that explains a history.
///
/// # Errors
/// What no order explains, in words.
///
/// # Panics
/// With more than 2^31 operations.
pub fn check(history: &History) -> Result<Explained, String> {
    let sequences = Sequences::of(history)?;
    let aborted = |e: &&u64| sequences.places.contains_key(e);
    if let Some(element) = history.refused.iter().find(aborted) {
        return Err(format!("element {element} was refused, and is there"));
    }
    let mut graph = Graph::default();
    // Who changed each count from each value.
    let mut changers: Vec<Vec<u32>> = sequences.ends.iter().map(|n| vec![NOBODY; *n]).collect();
    let mut saw: Vec<(usize, usize, u32)> = Vec::new();
    let (mut acts, mut steps) = (0, Vec::new());
    for operation in &history.operations {
        let node = graph.node();
        steps.clear();
        for act in &operation.acts {
            sequences.steps(act, &mut steps)?;
        }
        acts += operation.acts.len();
        let mut known: HashMap<usize, usize> = HashMap::new();
        for step in &steps {
            let (Step::Saw(count, value) | Step::Changed(count, value)) = *step;
            if known
                .insert(count, value)
                .is_some_and(|before| before != value)
            {
                return Err(format!("torn: {operation:?}"));
            }
            match *step {
                Step::Saw(count, value) => saw.push((count, value, node)),
                Step::Changed(count, value) => {
                    let changer = changers[count].get_mut(value);
                    let changer = changer.ok_or_else(|| format!("undone: {operation:?}"))?;
                    if *changer != NOBODY {
                        return Err(format!("done twice: {operation:?}"));
                    }
                    *changer = node;
                    known.insert(count, value + 1);
                }
            }
        }
    }
    for changer in changers.iter_mut().flatten().filter(|c| **c == NOBODY) {
        *changer = graph.node();
    }
    let limit = graph.nodes;
    order_changes(&changers, &mut graph);
    for (count, value, node) in saw {
        let changers = &changers[count];
        if value > changers.len() {
            let operation = &history.operations[node as usize];
            return Err(format!("from nowhere: {operation:?}"));
        }
        if let Some(before) = value.checked_sub(1) {
            graph.edge(changers[before], node);
        }
        if let Some(next) = changers.get(value) {
            graph.edge(node, *next);
        }
    }
    let edges = graph.edges.len();
    order_times(history, &mut graph);
    match graph.circle() {
        None => Ok(Explained {
            operations: history.operations.len(),
            acts,
            edges,
        }),
        Some(circle) => Err(told(history, &circle, limit)),
    }
}

/// Each change of a count comes behind the one before, and an element comes to a stage before it leaves it.
fn order_changes(changers: &[Vec<u32>], graph: &mut Graph) {
    for (count, changes) in changers.iter().enumerate() {
        for pair in changes.windows(2) {
            graph.edge(pair[0], pair[1]);
        }
        if count % 3 < 2 {
            for (here, next) in changes.iter().zip(&changers[count + 1]) {
                graph.edge(*here, *next);
            }
        }
    }
}

/// What ended before another began comes before it.
fn order_times(history: &History, graph: &mut Graph) {
    let operations = &history.operations;
    let mut by_end: Vec<u32> = (0..graph.nodes).take(operations.len()).collect();
    let mut by_begin = by_end.clone();
    by_end.sort_unstable_by_key(|n| operations[*n as usize].ended);
    by_begin.sort_unstable_by_key(|n| operations[*n as usize].began);
    let (mut last, mut ends) = (None, by_end.into_iter().peekable());
    for node in by_begin {
        let began = operations[node as usize].began;
        while let Some(ended) = ends.next_if(|n| operations[*n as usize].ended < began) {
            let time = graph.node();
            graph.edge(ended, time);
            if let Some(before) = last {
                graph.edge(before, time);
            }
            last = Some(time);
        }
        if let Some(time) = last {
            graph.edge(time, node);
        }
    }
}

fn told(history: &History, circle: &[u32], limit: u32) -> String {
    let mut text = format!("a circle of {} steps, each before the next:", circle.len());
    for node in circle.iter().take(SHOWN) {
        let line = match history.operations.get(*node as usize) {
            Some(operation) => format!("\n  {operation:?}"),
            None if *node < limit => "\n  a change whose client was not told".to_owned(),
            None => "\n  (time passes)".to_owned(),
        };
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests;
