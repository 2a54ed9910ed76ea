//! Carry: what one actor says becomes what the other is told.
//!
//! ```text
//! feed 1 says Send(have) to peer 7   ->  router: stream 3, channel 2  ->  stream 3 is told Send(2, have)
//! stream 3 says Message(want) on 2   ->  router: feed 1, peer 7       ->  feed 1 is told Peer(7, want)
//! ```
//! The only place that knows both vocabularies.

use super::driver::Driver;
use super::event::{Event, FeedEvent, StreamEvent};
use super::feed::{self, FromPeer, ToPeer};
use super::ids::{FeedId, StreamId};
use super::router::Place;
use super::stream::{self, FromStream};
use crate::replicate::PeerId;
use crate::wire::LocalId;

impl Driver {
    pub(super) fn carry_to_peer(&mut self, feed: FeedId, peer: PeerId, what: ToPeer) {
        match self.router.place(feed, peer) {
            Some(Place::Ours(stream, local, discovery_key)) => match what {
                ToPeer::Send(message) => self.tell_stream(stream, stream::Input::Send(local, message)),
                ToPeer::Close => self.close_channel(stream, discovery_key),
                ToPeer::Fail(failure) => self.fail_stream(stream, failure),
                ToPeer::Load(load) => self.tell_stream(stream, stream::Input::Load(local, load)),
                ToPeer::Asked => self.tell_stream(stream, stream::Input::Asked(local)),
                ToPeer::Served => self.tell_stream(stream, stream::Input::Served(local)),
            },
            Some(Place::Foreign) => self.carry_to_foreign(feed, peer, what),
            None => {}
        }
    }

    /// A stream that JavaScript speaks holds nothing back, and takes answers as they come.
    fn carry_to_foreign(&mut self, feed: FeedId, peer: PeerId, what: ToPeer) {
        let event = match what {
            ToPeer::Send(message) => FeedEvent::PeerMessage(peer, message),
            ToPeer::Close => FeedEvent::PeerDone(peer),
            ToPeer::Fail(failure) => FeedEvent::PeerFail(peer, failure),
            ToPeer::Asked => return self.tell_feed(feed, feed::Input::Peer(peer, FromPeer::Room)),
            ToPeer::Load(_) | ToPeer::Served => return,
        };
        self.queue.push(Event::Feed { feed, event });
    }

    pub(super) fn carry_from_stream(&mut self, id: StreamId, output: stream::Output) {
        self.work.steps += 1;
        match output {
            stream::Output::Event(event) => self.queue.push(Event::Stream { stream: id, event }),
            stream::Output::ToFeed(local, what) => match self.router.peer(id, local) {
                Some((feed, peer)) => self.carry_to_feed(feed, peer, what),
                None => self.carry_to_channel(id, local, what),
            },
        }
    }

    fn carry_to_feed(&mut self, feed: FeedId, peer: PeerId, what: FromStream) {
        let input = match what {
            FromStream::Opened => FromPeer::Opened,
            FromStream::Message(message) => FromPeer::Message(message),
            FromStream::Room => FromPeer::Room,
            FromStream::Timeout(timeout) => FromPeer::Timeout(timeout),
            FromStream::Gone => return self.remove_peer(feed, peer),
        };
        self.tell_feed(feed, feed::Input::Peer(peer, input));
        self.carry_finished_reads();
    }

    /// Answers that were read at once are sent at once, so that the output's length is known before
    /// the next are read.
    fn carry_finished_reads(&mut self) {
        while let Some(finished) = self.done.pop_front() {
            self.tell_feed(finished.feed, feed::Input::Finished(finished));
        }
    }

    /// A channel without a feed: JavaScript speaks on it.
    fn carry_to_channel(&mut self, stream: StreamId, local: LocalId, what: FromStream) {
        let event = match what {
            FromStream::Opened => StreamEvent::ChannelOpen(local),
            FromStream::Message(message) => StreamEvent::ChannelMessage(local, message),
            FromStream::Room => return self.tell_stream(stream, stream::Input::Served(local)),
            FromStream::Timeout(_) | FromStream::Gone => return,
        };
        self.queue.push(Event::Stream { stream, event });
    }
}
