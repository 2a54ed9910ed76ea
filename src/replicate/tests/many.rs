//! Many: what one peer, wait or block costs among few others and among many, counted in looks.

use super::*;

const FAR: u64 = 1_000_000;

/// A replicator with so many open peers, each of which has blocks 0..len, and what it holds itself.
struct Crowd {
    replicator: Replicator,
    bitfield: Bitfield,
    len: u64,
    now: u64,
}

impl Crowd {
    fn new(peers: u64, sparse: bool, len: u64) -> Self {
        let mut crowd = Self { replicator: Replicator::new(sparse, false), bitfield: holding(0), len: 0, now: 0 };
        for id in 0..peers {
            crowd.replicator.add_peer(
                PeerId(id),
                PeerOptions { seed: id * 7919, ..options(true, true) },
                Line::default(),
            );
            crowd.replicator.open_peer(PeerId(id));
            if len > 0 {
                crowd.hear(id, Message::Have { start: 0, length: Some(len), bitfield: None, ack: false });
            }
            crowd.hear(id, Message::Want { start: 0, length: Some(8192) });
        }
        if sparse {
            crowd.round();
        }
        crowd
    }

    fn hear(&mut self, id: u64, message: Message) {
        self.replicator.receive(0, local(&self.bitfield, self.len), PeerId(id), message).unwrap();
    }

    /// Settles, and gives what is asked of whom.
    fn round(&mut self) -> Vec<(PeerId, u64)> {
        requests(&mut self.replicator, self.now, local(&self.bitfield, self.len))
    }

    /// A block was answered, kept, and is told to others.
    fn answer(&mut self, (peer, block): (PeerId, u64)) {
        self.hear(peer.0, data(block));
        let mut stage = Stage::new();
        stage.set(&self.bitfield, block, true);
        self.bitfield.apply(stage);
        self.len = self.len.max(block + 1);
        self.replicator.stored(peer, block, Some(1));
        self.replicator.arrived(block);
    }

    /// Goes on until nothing is asked for; gives how many were answered.
    fn drain(&mut self) -> usize {
        let (mut asked, mut count) = (self.round(), 0);
        while !asked.is_empty() {
            count += asked.len();
            asked.drain(..).for_each(|ask| self.answer(ask));
            asked = self.round();
        }
        count
    }

    /// The looks that `work` costs.
    fn looks<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> u64 {
        let before = self.replicator.looks();
        work(self);
        self.replicator.looks() - before
    }
}

/// What `work` costs at two sizes must be the same, but for a few looks.
fn same_cost(few: u64, many: u64, cost: impl Fn(u64) -> u64) {
    let (at_few, at_many) = (cost(few), cost(many));
    assert!(at_many <= at_few + at_few / 4 + 4, "{at_few} looks with {few}, {at_many} with {many}");
}

#[test]
fn a_get_and_its_answer_cost_the_same_among_many_peers() {
    same_cost(100, 1_000, |peers| {
        let mut crowd = Crowd::new(peers, true, 1_000);
        crowd.looks(|crowd| {
            for block in 0..100 {
                crowd.replicator.wait_block(WaitId(block), block);
                assert_eq!(crowd.drain(), 1);
            }
        })
    });
}

#[test]
fn a_message_costs_the_same_among_many_peers() {
    same_cost(100, 1_000, |peers| {
        let mut crowd = Crowd::new(peers, false, 500);
        crowd.drain();
        assert_eq!(crowd.bitfield.count(0, 1_000), 500);
        crowd.looks(|crowd| {
            for block in 500..600 {
                crowd.hear(3, have(block, None, None));
                assert_eq!(crowd.drain(), 1);
                (4..8).for_each(|peer| crowd.hear(peer, have(block, None, None)));
                crowd.hear(9, Message::Status { uploading: Some(true), downloading: Some(true) });
                assert_eq!(crowd.drain(), 0);
            }
        })
    });
}

#[test]
fn a_download_of_everything_costs_the_same_a_block_among_many_peers() {
    let cost = |peers| {
        let mut crowd = Crowd::new(peers, false, 0);
        for id in 0..peers {
            crowd.hear(id, have(0, Some(40_000), None));
        }
        crowd.looks(|crowd| assert_eq!(crowd.drain(), 40_000)) / 40_000
    };
    same_cost(10, 1_000, cost);
}

#[test]
fn idle_peers_need_no_time() {
    let mut crowd = Crowd::new(1_000, false, 100);
    crowd.drain();
    assert_eq!(crowd.replicator.next_due(), None);
    let looks = crowd.looks(|crowd| {
        for now in 0..1_000 {
            crowd.now = now * 1_000;
            crowd.replicator.tick(crowd.now);
            crowd.round();
        }
    });
    assert_eq!(looks, 0);
}

#[test]
fn a_tick_looks_at_those_whose_time_has_come() {
    same_cost(100, 1_000, |peers| {
        let mut crowd = Crowd::new(peers, true, 100);
        crowd.replicator.wait_block(WaitId(1), 7);
        assert_eq!(crowd.round().len(), 1);
        assert_eq!(crowd.replicator.next_due(), Some(patience::MOST));
        crowd.looks(|crowd| {
            for now in 0..=patience::MOST {
                crowd.now = now;
                crowd.replicator.tick(now);
            }
            assert_eq!(crowd.round().len(), 1);
        })
    });
}

#[test]
fn gets_that_are_given_up_cost_the_same_among_many() {
    same_cost(1_000, 40_000, |waits| {
        let mut crowd = Crowd::new(2, true, 100);
        let total = crowd.looks(|crowd| {
            (0..waits).for_each(|id| crowd.replicator.wait_block(WaitId(id), if id % 2 == 0 { FAR } else { FAR + id }));
            crowd.round();
            (0..waits).rev().for_each(|id| assert!(crowd.replicator.cancel(WaitId(id))));
            crowd.round();
        });
        assert!(crowd.replicator.waits.ids.is_empty() && !crowd.replicator.waits.wanted.has_since(0));
        total * 100 / waits
    });
}

#[test]
fn a_message_costs_the_same_among_many_gets_that_nobody_can_answer() {
    same_cost(1_000, 10_000, |waits| {
        let mut crowd = Crowd::new(3, true, 100);
        (0..waits).for_each(|id| crowd.replicator.wait_block(WaitId(id), 100 + 2 * id));
        crowd.round();
        crowd.looks(|crowd| {
            for block in 0..50 {
                crowd.hear(1, have(101 + 2 * block, None, None));
                assert_eq!(crowd.round(), []);
            }
            crowd.hear(1, have(100 + waits, None, None));
            assert_eq!(crowd.drain(), 1);
        })
    });
}

#[test]
fn updates_and_seeks_that_nobody_can_answer_cost_nothing() {
    same_cost(1_000, 10_000, |waits| {
        let mut crowd = Crowd::new(3, true, 0);
        for id in 0..waits {
            crowd.replicator.wait_update(WaitId(id), UpdateWait { min_len: FAR + id % 10, hash: true });
            let seek = SeekWait { bytes: id, start: FAR, end: Some(FAR + 8), hash: false, is_beyond: false };
            crowd.replicator.wait_seek(WaitId(waits + id), seek);
        }
        crowd.round();
        let looks = crowd.looks(|crowd| {
            for block in 0..50 {
                crowd.hear(1, have(block, None, None));
                crowd.replicator.wait_block(WaitId(FAR + block), block);
                assert_eq!(crowd.drain(), 1);
            }
        });
        (0..2 * waits).for_each(|id| assert!(crowd.replicator.cancel(WaitId(id))));
        looks
    });
}

#[test]
fn many_updates_and_seeks_are_answered_by_few_requests() {
    let mut crowd = Crowd::new(3, true, 0);
    (0..1_000).for_each(|id| crowd.replicator.wait_update(WaitId(id), UpdateWait { min_len: 1 + id % 7, hash: false }));
    crowd.round();
    crowd.hear(2, have(0, Some(7), None));
    assert_eq!(crowd.round(), [(PeerId(2), 6)]);
    crowd.answer((PeerId(2), 6));
    crowd.replicator.settle(0, local(&crowd.bitfield, 7));
    let resolved: Vec<u64> = std::iter::from_fn(|| crowd.replicator.poll())
        .filter_map(|output| if let Output::Resolved(id) = output { Some(id.0) } else { None })
        .collect();
    assert_eq!(resolved, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_list_costs_the_same_a_block_however_long_it_is() {
    same_cost(1_000, 20_000, |len| {
        let mut crowd = Crowd::new(10, true, len);
        let total = crowd.looks(|crowd| {
            crowd.replicator.select(Some(WaitId(1)), Range::Blocks((0..len).rev().collect()));
            crowd.replicator.select(Some(WaitId(2)), Range::Blocks((0..len).filter(|block| block % 3 == 0).collect()));
            assert_eq!(u64::try_from(crowd.drain()), Ok(len));
        });
        assert!(crowd.replicator.waits.ids.is_empty() && !crowd.replicator.waits.listed.has_since(0));
        total * 100 / len
    });
}

#[test]
fn a_list_of_what_nobody_has_costs_a_message_nothing() {
    same_cost(1_000, 20_000, |len| {
        let mut crowd = Crowd::new(3, true, 10);
        crowd.replicator.select(Some(WaitId(1)), Range::Blocks((0..len).map(|block| FAR + 2 * block).collect()));
        crowd.round();
        let looks = crowd.looks(|crowd| {
            for block in 0..100 {
                crowd.hear(1, have(FAR + 2 * block + 1, None, None));
                assert_eq!(crowd.round(), []);
            }
        });
        assert!(crowd.replicator.cancel(WaitId(1)));
        assert!(!crowd.replicator.waits.listed.has_since(0));
        looks
    });
}

#[test]
fn a_message_costs_the_same_among_many_ranges() {
    let span = |start, end| Range::Span { start, end: Some(end), linear: false, hash: false };
    same_cost(1_000, 10_000, |ranges| {
        let mut crowd = Crowd::new(3, true, 100);
        (0..ranges).for_each(|id| crowd.replicator.select(Some(WaitId(id)), span(FAR + 3 * id, FAR + 3 * id + 2)));
        crowd.round();
        let looks = crowd.looks(|crowd| {
            for id in 0..50 {
                crowd.hear(1, have(FAR + 3 * id, Some(2), None));
                assert_eq!(crowd.drain(), 2);
            }
        });
        assert_eq!(u64::try_from(crowd.replicator.waits.ids.len()), Ok(ranges - 50));
        (50..ranges).for_each(|id| assert!(crowd.replicator.cancel(WaitId(id))));
        looks
    });
}

#[test]
fn only_those_who_want_to_hear_are_told() {
    let mut crowd = Crowd::new(1_000, true, 0);
    assert_eq!(crowd.looks(|crowd| crowd.replicator.announce(0, 1, None)), 1_000);
    let mut deaf = Replicator::new(true, false);
    for id in 0..1_000 {
        deaf.add_peer(PeerId(id), options(true, true), Line::default());
        deaf.open_peer(PeerId(id));
    }
    let before = deaf.looks();
    deaf.announce(0, 1, None);
    assert_eq!(deaf.looks(), before);
}

#[test]
fn own_blocks_cost_as_much_as_there_are_waits_for_them() {
    let mut crowd = Crowd::new(100, true, 0);
    (0..5).for_each(|id| crowd.replicator.wait_block(WaitId(id), 500 * (4 - id)));
    crowd.round();
    let looks = crowd.looks(|crowd| {
        let answered = crowd.replicator.arrived_range(0, 1_000_000);
        assert_eq!(
            answered,
            [(0, WaitId(4)), (500, WaitId(3)), (1000, WaitId(2)), (1500, WaitId(1)), (2000, WaitId(0))]
        );
    });
    assert!(looks < 10, "{looks}");
}

#[test]
fn a_remote_cannot_make_anything_grow() {
    let mut crowd = Crowd::new(1, true, 0);
    (0..20_000).for_each(|id| crowd.replicator.wait_block(WaitId(id), id));
    // It says that it has what it loses as soon as it is asked for it.
    for _ in 0..1_000 {
        crowd.hear(0, have(0, Some(20_000), None));
        crowd.round();
        crowd.hear(0, Message::Unhave { start: 0, length: Some(20_000) });
    }
    let peer = crowd.replicator.peer(PeerId(0)).unwrap();
    assert!(peer.inflight() == 0 && !peer.requests.has_room(true));
    crowd.replicator.tick(1);
    crowd.hear(0, have(0, Some(20_000), None));
    assert!(!crowd.round().is_empty());
    // A length that cannot be makes us ask about windows, but not for ever.
    crowd.replicator.select(None, Range::Span { start: 0, end: None, linear: false, hash: false });
    crowd.hear(0, have(1 << 50, None, None));
    let mut asked = 0;
    for _ in 0..2_000 {
        crowd.replicator.settle(0, local(&crowd.bitfield, 0));
        asked += wants(&sent(&mut crowd.replicator));
        crowd.hear(0, have(0, Some(1024 * 1024), Some(&[0xff])));
    }
    assert!((1_000..1_100).contains(&asked), "{asked}");
}
