//! Crashes: every storage operation of a small history fails once, or from then on; every prefix of
//! the writes is opened again.
//!
//! ```text
//! fault at n   the instance is as it was; the same call works later and leaves the bytes of an undisturbed run
//! image        after any prefix of the writes, the last one torn or not, what was acknowledged is there
//! ```
//! The model lies outside of the feed: the blocks that were appended, and which of them must be
//! held.
//!
//! Invariant: whatever fails, a feed never gives other bytes than those that were appended.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions)]

mod common;
#[path = "crash/history.rs"]
mod history;

use std::sync::Arc;

use bytes::Bytes;
use common::stores::{Fault, Step, Store, content, image};
use history::{History, Model, Verb, clone_history, open_on, writer_histories};
use hypercore::feed::{Feed, FeedError};
use hypercore::math::flat::BlockIndex;
use hypercore::store::File;
use hypercore::store::io::now;
use hypercore::store::memory::Memory;

/// What nobody appended before a crash.
const OTHER: Bytes = Bytes::from_static(b"something else");

fn histories() -> Vec<History> {
    writer_histories().into_iter().chain((0..6).map(clone_history)).collect()
}

/// Once and from then on, with and without half of the bytes.
fn faults_at(n: u64) -> impl Iterator<Item = Fault> {
    let ends = [(n, false), (n, true), (u64::MAX, false), (u64::MAX, true)];
    ends.into_iter().map(move |(end, short_writes)| Fault { at: n..=end, short_writes })
}

#[test]
fn a_failed_verb_has_changed_nothing_and_can_be_repeated() {
    for history in histories() {
        for (place, verb) in history.verbs.iter().enumerate() {
            let undisturbed = history.play(place + 1);
            let mut n = 0;
            while faults_at(n).all(|fault| fail_at(&history, place, verb, fault, &undisturbed.memory)) {
                n += 1;
            }
        }
    }
}

/// Lets one verb fail; false if it needs fewer operations.
fn fail_at(history: &History, place: usize, verb: &Verb, fault: Fault, undisturbed: &Arc<Memory>) -> bool {
    let run = history.play(place);
    let before = Model::of(&run.feed);
    run.store.arm(Some(fault.clone()));
    let failed = verb.apply(&run.feed);
    let hits = run.store.hits();
    run.store.arm(None);
    if hits == 0 {
        assert!(failed.is_ok());
        return false;
    }
    let context = format!("{} verb {place} {fault:?}", history.name);
    if failed.is_err() {
        assert_eq!(Model::of(&run.feed), before, "{context}");
        check_blocks(&run.feed, history, &context);
        let steps = run.store.steps();
        reopen(&image(&steps), history, &before, verb, &context);
        verb.apply(&run.feed).unwrap();
        assert!(content(&run.memory) == content(undisturbed), "{context}: other bytes");
    }
    true
}

#[test]
fn a_failed_open_has_destroyed_nothing_and_can_be_repeated() {
    for history in histories() {
        for place in [0, history.verbs.len()] {
            let steps = if place == 0 { Vec::new() } else { history.play(place).store.steps() };
            let undisturbed = image(&steps);
            drop(open_on(&Store::new(&undisturbed), history.writes).unwrap());
            for n in 0.. {
                let mut hits = 0;
                for fault in faults_at(n) {
                    let memory = image(&steps);
                    let store = Store::new(&memory);
                    store.arm(Some(fault.clone()));
                    let opened = open_on(&store, history.writes);
                    hits += store.hits();
                    assert_eq!(store.hits() > 0, opened.is_err(), "{} open {fault:?}", history.name);
                    drop((opened, store));
                    let again = open_on(&Store::new(&memory), history.writes).unwrap();
                    check_blocks(&again, &history, "open");
                    assert_eq!(Model::of(&again), history.model_after(place), "{} open {fault:?}", history.name);
                    assert!(content(&memory) == content(&undisturbed), "{} open {fault:?}: other bytes", history.name);
                }
                if hits == 0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn every_prefix_of_the_writes_opens_to_what_was_acknowledged() {
    for history in histories() {
        let run = history.play(history.verbs.len());
        let steps = run.store.steps();
        for end in 0..=steps.len() {
            let torn = steps.get(end).and_then(Step::torn);
            for torn in [None, torn] {
                let context = format!("{}, {end} of {} steps, torn {}", history.name, steps.len(), torn.is_some());
                let place = run.marks.iter().rposition(|mark| mark.steps <= end).unwrap_or(0);
                let crashed = image(steps[..end].iter().chain(&torn));
                let during = history.verbs.get(place).unwrap_or(&Verb::Nothing);
                reopen(&crashed, &history, &history.model_after(place), during, &context);
            }
        }
    }
}

/// Nothing is synced by default: after a power loss any of the last verb's writes may be missing.
#[test]
fn any_choice_of_the_last_writes_opens_to_no_wrong_bytes() {
    for history in histories() {
        let run = history.play(history.verbs.len());
        let steps = run.store.steps();
        for (place, [before, after]) in run.marks.array_windows().enumerate() {
            let last = &steps[before.steps..after.steps];
            for choice in 0..1u32 << last.len().min(10) {
                let kept = last.iter().enumerate().filter(|(at, _)| choice & (1 << at) != 0).map(|(_, step)| step);
                let context = format!("{} verb {place} choice {choice:b}", history.name);
                let crashed = image(steps[..before.steps].iter().chain(kept));
                let feed = open_on(&Store::new(&crashed), history.writes).unwrap();
                check_blocks_or_errors(&feed, &history, &context);
                if history.writes {
                    appends_other(feed, &crashed, &context);
                }
            }
        }
    }
}

/// Bitfield and signatures both follow from the tree, the data, and the secret key.
#[test]
fn a_writer_without_its_bitfield_or_its_signatures_heals() {
    for history in writer_histories() {
        let run = history.play(history.verbs.len());
        for lost in [File::Bitfield, File::Signatures] {
            let steps = run.store.steps();
            let crashed = image(steps.iter().filter(|step| step.file() != lost));
            let context = format!("{} without {lost:?}", history.name);
            reopen(&crashed, &history, &Model::of(&run.feed), &Verb::Nothing, &context);
        }
    }
}

/// Opens what a crash left while `verb` was under way after `acknowledged`.
fn reopen(crashed: &Arc<Memory>, history: &History, acknowledged: &Model, verb: &Verb, context: &str) {
    let feed = open_on(&Store::new(crashed), history.writes).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    assert!(feed.len() >= verb.shortest(acknowledged.len), "{context}: {} of {} blocks", feed.len(), acknowledged.len);
    let given_up = verb.clears();
    for index in acknowledged.held.iter().filter(|index| !given_up.contains(index)) {
        assert!(feed.has(BlockIndex(*index)), "{context}: block {index} is lost");
    }
    check_blocks(&feed, history, context);
    if history.writes {
        goes_on(feed, crashed, history, context);
    }
}

/// Every block that is held can be read and is the right one.
fn check_blocks(feed: &Feed, history: &History, context: &str) {
    for index in 0..feed.len() {
        let found =
            now(feed.get(feed.io(), BlockIndex(index))).unwrap().unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(found.is_some(), feed.has(BlockIndex(index)), "{context}: block {index}");
        assert!(found.is_none_or(|found| found == history.truth[index as usize]), "{context}: wrong block {index}");
    }
}

/// The same where blocks may be damaged: then there is an error, never other bytes.
fn check_blocks_or_errors(feed: &Feed, history: &History, context: &str) {
    for index in 0..feed.len() {
        match now(feed.get(feed.io(), BlockIndex(index))).unwrap() {
            Ok(found) => assert!(
                found.is_none_or(|found| found == history.truth[index as usize]),
                "{context}: wrong block {index}"
            ),
            Err(error) => {
                assert!(matches!(error, FeedError::BadBlock(_) | FeedError::NodeMissing(_)), "{context}: {error}")
            }
        }
    }
}

/// A writer that goes on: a clone agrees with it.
fn goes_on(feed: Feed, crashed: &Arc<Memory>, history: &History, context: &str) {
    let start = feed.len();
    if !appends_other(feed, crashed, context) {
        return;
    }
    let again = open_on(&Store::new(crashed), true).unwrap();
    assert_eq!(again.len(), start + 1, "{context}");
    for index in (0..=start).filter(|index| again.has(BlockIndex(*index))) {
        let found = now(again.get(again.io(), BlockIndex(index))).unwrap().unwrap().unwrap();
        assert_eq!(found, if index == start { OTHER } else { history.truth[index as usize].clone() }, "{context}");
    }
    history::replicate(&again, context);
}

/// Appends something else than before, unless the writer refuses. It never signs a second content
/// for a length that its files tell of.
fn appends_other(feed: Feed, crashed: &Arc<Memory>, context: &str) -> bool {
    let told = signatures(crashed);
    let start = feed.len();
    match now(feed.append(vec![OTHER])).unwrap() {
        Err(FeedError::ForkRisk) => return false,
        appended => assert_eq!(appended.unwrap().start, start, "{context}"),
    }
    for (before, after) in told.iter().zip(signatures(crashed)) {
        assert!(before.ends_with(&[0; 32]) || *before == after, "{context}: two histories are signed");
    }
    true
}

/// The records of the file `signatures`; all zeros where none was written, zeros at the end of a
/// torn one.
fn signatures(memory: &Arc<Memory>) -> Vec<Vec<u8>> {
    let files = content(memory);
    let (_, bytes) = files.iter().find(|(file, _)| *file == File::Signatures).unwrap();
    bytes.get(32..).unwrap_or_default().chunks_exact(64).map(<[u8]>::to_vec).collect()
}
