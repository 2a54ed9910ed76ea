//! Incoming: what the remote's messages do to the channels.
//!
//! ```text
//! open, close -> channels change, events      others -> the feed, if the remote may speak about it; else the stream; else none
//! ```
//! A wrong capability for a feed that is open here, or too many channels, is the remote's fault and
//! ends the stream.
//!
//! Invariant: a remote is heard on a channel only when its capability was checked there, unless
//! there is no Noise.
//! Source: hypercore-protocol@8.0.7 index.js `Channelizer`.

use super::{Protocol, Queued, State};
use crate::math::crypto::Hash;
use crate::wire::channel::{Channel, RemoteId};
use crate::wire::event::{Event, ProtocolError};
use crate::wire::frame::Frame;
use crate::wire::message::Message;

impl Protocol {
    /// What a frame means; an open queues its events.
    pub(super) fn handle_frame(&mut self, frame: &Frame) -> Result<Option<Event>, ProtocolError> {
        let id = RemoteId(frame.channel);
        let message = match Message::decode(frame.kind, &frame.body)? {
            None => return Ok(None),
            Some(Message::Open { discovery_key, capability }) => {
                self.handle_open(id, discovery_key, capability)?;
                return Ok(None);
            }
            Some(Message::Close { discovery_key }) => return Ok(self.handle_close(id, discovery_key)),
            Some(message) => message,
        };
        if let Some(channel) = self.channels.speaking(id) {
            let is_verified = channel.remote.is_some_and(|remote| remote.verified);
            let local = channel.local.filter(|_| is_verified);
            return Ok(local.map(|local| Event::Message { local: local.id, message }));
        }
        Ok(match message {
            Message::Options { extensions, .. } if frame.channel == 0 => Some(Event::Extensions(extensions)),
            Message::Extension { id, payload } if frame.channel == 0 => Some(Event::StreamExtension { id, payload }),
            _ => None,
        })
    }

    fn handle_open(
        &mut self,
        id: RemoteId,
        discovery_key: Hash,
        capability: Option<Hash>,
    ) -> Result<(), ProtocolError> {
        self.channels.open_remote(discovery_key, id, capability);
        if self.channels.len_unanswered() > self.options.max_remote_channels {
            return Err(ProtocolError::TooManyChannels);
        }
        let event = match self.local(&discovery_key) {
            None => Event::DiscoveryKey(discovery_key),
            Some(_) if !self.verify(&discovery_key) => return Err(ProtocolError::Capability),
            Some(local) => Event::Duplex { local, discovery_key },
        };
        let remote_open = Queued::Event(Event::RemoteOpen(discovery_key));
        self.queue.extend([Queued::Event(event), Queued::Opened(discovery_key), remote_open]);
        Ok(())
    }

    /// The channel is named by the remote's number, or else by the feed.
    fn handle_close(&mut self, id: RemoteId, discovery_key: Option<Hash>) -> Option<Event> {
        let speaking = self.channels.speaking(id).map(|channel| channel.discovery_key);
        let channel = self.channels.remove(&speaking.or(discovery_key)?)?;
        let local = channel.local.map(|local| local.id);
        if let Some(local) = local {
            self.say(local.0, Message::Close { discovery_key: None });
        }
        Some(Event::Closed { local, discovery_key: channel.discovery_key })
    }

    /// True if the feed is open on both sides and the remote proved to know its key, or need not.
    pub(super) fn verify(&mut self, discovery_key: &Hash) -> bool {
        let Some(Channel { local: Some(local), remote: Some(_), .. }) = self.channels.get(discovery_key) else {
            return false;
        };
        let key = local.key;
        let State::Open(transport) = &self.state else { return false };
        let is_right = transport.identity.is_none() || self.remote_verified(&key);
        if is_right {
            self.channels.set_verified(discovery_key);
        }
        is_right
    }
}
