//! Foe: a peer that speaks the real handshake and cipher, and then says whatever the test wants.
//!
//! ```text
//! foe: Protocol  <-- bytes -->  victim: Host, a clone      honest: Host, the writer
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use hypercore::engine::Verb;
use hypercore::feed::{Feed, Put};
use hypercore::math::flat::BlockIndex;
use hypercore::replicate::Range;
use hypercore::store::memory::Memory;
use hypercore::wire::{Event, LocalId, Message, Protocol};

use super::common::dice::Dice;
use super::common::host::{Host, stream_options};
use super::common::{block, honest, writer_pair};

/// A victim, the writer's log, and the clock of both.
pub struct Scene {
    pub dice: Dice,
    pub micros: Arc<AtomicU64>,
    pub memory: Arc<Memory>,
    pub victim: Host,
    pub truth: Vec<Bytes>,
    /// What the foe knows: all of it.
    pub log: Feed,
}

/// A peer on one of the victim's streams.
pub struct Foe {
    pub protocol: Protocol,
    pub local: LocalId,
    pub stream: u64,
    pub heard: Vec<Message>,
}

impl Scene {
    /// A log of blocks of these sizes, and a clone that has none of them.
    pub fn new(sizes: &[usize], sparse: bool) -> Self {
        let truth: Vec<Bytes> = (0..).zip(sizes).map(|(index, size)| block(index, *size)).collect();
        let (micros, memory) = (Arc::default(), Arc::default());
        let victim = Host::open(&memory, &micros, false, sparse);
        let log = honest::log_with(&Arc::default(), truth.clone());
        Self { dice: Dice::new(1), micros, memory, victim, truth, log }
    }

    /// Shakes hands and opens the feed.
    pub fn foe(&mut self) -> Foe {
        let stream = self.victim.connect(true, false, None, &mut self.dice);
        let options = stream_options(false, &mut self.dice);
        let mut protocol = Protocol::new(false, options.protocol, options.random);
        let local = protocol.open(writer_pair().public_key());
        let mut foe = Foe { protocol, local, stream, heard: Vec::new() };
        foe.exchange(&mut self.victim);
        foe
    }

    /// An honest peer that holds all blocks, or a clone.
    pub fn peer(&self, writes: bool) -> Host {
        let memory = Arc::default();
        if writes {
            drop(honest::log_with(&memory, self.truth.clone()));
        }
        Host::open(&memory, &self.micros, writes, false)
    }

    /// The victim, helped by an honest peer, gets every block right; opened anew, it helps another
    /// clone to all of them.
    pub fn ends_well(self) {
        let (mut writer, mut clone) = (self.peer(true), self.peer(false));
        let Self { mut dice, micros, memory, mut victim, truth, .. } = self;
        let all = Range::Span { start: 0, end: None, linear: false, hash: false };
        victim.verb(Verb::Download(all));
        carry(&mut writer, &mut victim, &truth, &mut dice, &micros);
        drop(victim);
        let mut victim = Host::open(&memory, &micros, false, true);
        assert_all(&mut victim, &truth);
        carry(&mut victim, &mut clone, &truth, &mut dice, &micros);
    }
}

/// Connects two honest hosts until `to` has everything; neither may break with the other.
fn carry(from: &mut Host, to: &mut Host, truth: &[Bytes], dice: &mut Dice, micros: &AtomicU64) {
    let (a, b) = (from.connect(true, false, None, dice), to.connect(false, false, None, dice));
    let len = truth.len() as u64;
    for _ in 0..400 {
        while let Some(chunk) = from.read(a) {
            to.write(b, &chunk);
        }
        while let Some(chunk) = to.read(b) {
            from.write(a, &chunk);
        }
        micros.fetch_add(100_000, Ordering::Relaxed);
        to.tick();
        from.tick();
        if to.feed.count(0, len) == len {
            break;
        }
    }
    assert!(!from.is_broken(a) && !to.is_broken(b), "honest peers broke: {:?} {:?}", from.broken(), to.broken());
    assert_all(to, truth);
}

/// Every block is here, and right.
pub fn assert_all(host: &mut Host, truth: &[Bytes]) {
    for (index, truth) in (0..).zip(truth) {
        assert_eq!(host.block(index).as_ref(), Some(truth), "block {index}");
    }
}

/// No block that is here is wrong.
pub fn assert_none_wrong(host: &mut Host, truth: &[Bytes]) {
    for (index, truth) in (0..).zip(truth) {
        assert!(host.block(index).is_none_or(|block| block == *truth), "block {index}");
    }
}

impl Foe {
    /// Says something about the feed; it goes out with the next `deliver`.
    pub fn say(&mut self, message: Message) {
        self.protocol.send(self.local, message);
    }

    /// Sends without listening, as long as the victim takes more. True if all went out.
    pub fn deliver(&mut self, victim: &mut Host) -> bool {
        while self.protocol.pending_output() > 0 {
            if victim.held.contains(&self.stream) {
                return false;
            }
            let chunk = self.protocol.take_output(64 * 1024);
            victim.write(self.stream, &chunk);
        }
        true
    }

    /// Sends and listens until both are silent.
    pub fn exchange(&mut self, victim: &mut Host) {
        loop {
            self.deliver(victim);
            let mut is_silent = self.protocol.pending_output() == 0;
            while let Some(chunk) = victim.read(self.stream) {
                is_silent = false;
                self.protocol.receive(BytesMut::from(&chunk[..]));
            }
            while let Ok(Some(event)) = self.protocol.poll() {
                if let Event::Message { message, .. } = event {
                    self.heard.push(message);
                }
            }
            if is_silent {
                return;
            }
        }
    }

    /// Claims to hold the first `len` blocks.
    pub fn claim(&mut self, start: u64, len: u64) {
        self.say(Message::Have { start, length: Some(len), bitfield: None, ack: false });
    }

    /// Answers every request that was heard with what `lie` makes of the truth.
    pub fn answer(&mut self, log: &Feed, mut lie: impl FnMut(&mut Put)) {
        for message in std::mem::take(&mut self.heard) {
            if let Message::Request { index, hash, nodes, .. } = message
                && index < log.len()
            {
                let mut answer = honest::answer(log, BlockIndex(index), hash, nodes);
                lie(&mut answer);
                self.say(honest::message(answer));
            }
        }
    }
}
