//! Pump: the only drain loop. Lets the world come to rest after a change.

use super::event::{Kind, Value};
use super::world::World;

/// How long one call may keep the JavaScript thread before others get their turn, in microseconds. Most take some ten; programs
/// that replicate in memory expect to be through in one turn, also on a machine that hiccups.
const TURN: u64 = 4_000;
/// So many steps are done in one call whatever the clock says: a thread that is not given the processor is not late.
const FEW: u32 = 16;

impl World {
    /// Goes on until nothing is left to do, or the turn is over; then JavaScript is asked to come back.
    pub(super) fn come_to_rest(&mut self) {
        let start = self.clock.micros();
        for completion in self.completions.take() {
            self.tell(Kind::Busy, [Value::Signed(-1)]);
            self.done.push_back(completion);
        }
        let resumed = self.tasks.resume();
        self.done.extend(resumed);
        for steps in 1.. {
            if !self.step() {
                break;
            }
            if steps >= FEW && self.clock.micros() - start > TURN {
                self.tell(Kind::Again, []);
                break;
            }
        }
    }

    /// One step: what is done first, then bytes from remotes, then writes, then new requests. False at rest.
    fn step(&mut self) -> bool {
        if let Some(completion) = self.done.pop_front() {
            self.complete(completion);
        } else if let Some(stream) = self.dirty_streams.pop_first() {
            self.pump_stream(stream);
        } else if let Some(feed) = self.dirty_feeds.pop_first() {
            self.settle_feed(feed);
        } else {
            return false;
        }
        true
    }
}
