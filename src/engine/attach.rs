//! Attach: feeds go onto streams and off them again.
//!
//! ```text
//! attach   the stream opens a channel, the router ties it to the peer, the feed is told
//! close    the stream says so to the remote, the feed is told that its peer is gone
//! ```
//! Invariant: whoever is told that a peer is gone finds it gone from the router.

use super::driver::Driver;
use super::event::{Event, Failure, StreamEvent};
use super::feed::{self, FeedActor, FromPeer, ToPeer};
use super::ids::{FeedId, StreamId};
use super::router::Place;
use super::stream::{self, StreamActor};
use crate::replicate::{Line, PeerId, PeerOptions};
use crate::wire::LocalId;

impl Driver {
    /// Opens a channel that JavaScript speaks on; gives our number.
    pub fn open_channel(&mut self, id: StreamId, key: [u8; 32]) -> LocalId {
        let local = self.streams.get_mut(&id).map(|actor| actor.open_channel(key));
        self.ready_streams.push(id);
        local.unwrap_or(LocalId(0))
    }

    /// Whether a feed may be put on a stream; if not, its channel is closed.
    pub fn admits(&mut self, stream: StreamId, key: &[u8; 32]) -> bool {
        let admits = self.streams.get_mut(&stream).is_some_and(|actor| actor.admits(key));
        self.say_outputs(stream);
        self.ready_streams.push(stream);
        admits
    }

    /// Puts a feed on a stream, as a peer with this number. Nothing happens if it is not open, if
    /// it is on the stream already, or if the remote has not proved that it knows the key.
    pub fn attach(&mut self, stream: StreamId, feed: FeedId, peer: PeerId, mut options: PeerOptions) {
        let key = self.feeds.get(&feed).and_then(FeedActor::log).and_then(|log| log.key());
        let adopted = key.and_then(|key| self.streams.get_mut(&stream)?.adopt(&key));
        self.ready_streams.push(stream);
        let Some(adopted) = adopted else { return };
        options.timeout = adopted.timeout;
        self.router.connect(feed, peer, Place::Ours(stream, adopted.local, adopted.discovery_key));
        self.tell_feed(feed, feed::Input::Peer(peer, FromPeer::Attached(options, adopted.line)));
        if adopted.is_remote_open {
            self.tell_feed(feed, feed::Input::Peer(peer, FromPeer::Opened));
        }
    }

    /// Adds a peer on a stream that JavaScript speaks.
    pub fn attach_foreign(&mut self, feed: FeedId, peer: PeerId, options: PeerOptions) {
        if self.feeds.get(&feed).and_then(FeedActor::log).is_some() {
            self.router.connect(feed, peer, Place::Foreign);
            self.tell_feed(feed, feed::Input::Peer(peer, FromPeer::Attached(options, Line::default())));
        }
    }

    /// A peer's channel is closed.
    pub fn remove_peer(&mut self, feed: FeedId, peer: PeerId) {
        if self.router.disconnect(feed, peer).is_some() {
            self.tell_feed(feed, feed::Input::Peer(peer, FromPeer::Gone));
        }
    }

    /// Closes a channel, or tells the remote that it will not be opened.
    pub fn close_channel(&mut self, stream: StreamId, discovery_key: [u8; 32]) {
        self.tell_stream(stream, stream::Input::CloseChannel(discovery_key));
        self.say_outputs(stream);
    }

    /// Carries what a stream has said already, before anything else happens.
    fn say_outputs(&mut self, id: StreamId) {
        while let Some(output) = self.streams.get_mut(&id).and_then(StreamActor::take_said) {
            self.carry_from_stream(id, output);
        }
    }

    /// A feed's peers are closed: it is closing, or gone.
    pub fn close_peers(&mut self, feed: FeedId) {
        for peer in self.router.peers_of(feed) {
            self.carry_to_peer(feed, peer, ToPeer::Close);
        }
    }

    /// JavaScript has forgotten a feed: so do we.
    pub fn remove_feed(&mut self, id: FeedId) {
        self.close_peers(id);
        if let Some(actor) = self.feeds.remove(&id) {
            self.work.looks += actor.replicator().looks();
        }
        self.ready_feeds.remove(id);
        self.timers.set(id, None);
    }

    /// The remote broke its word, or our disk failed it: the stream ends, with everything on it.
    pub(super) fn fail_stream(&mut self, stream: StreamId, failure: Failure) {
        self.queue.push(Event::Stream { stream, event: StreamEvent::Fail(failure) });
        self.remove_stream(stream);
    }

    /// A stream is over: every channel closes.
    pub fn remove_stream(&mut self, id: StreamId) {
        let Some(actor) = self.streams.remove(&id) else { return };
        self.ready_streams.remove(id);
        self.stalled.remove(id);
        let mut locals: Vec<LocalId> =
            actor.protocol().channels().filter_map(|channel| channel.local.map(|local| local.id)).collect();
        locals.sort_unstable();
        for local in locals {
            if let Some((feed, peer)) = self.router.peer(id, local) {
                self.remove_peer(feed, peer);
            }
        }
    }
}
