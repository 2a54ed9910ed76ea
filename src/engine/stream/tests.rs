//! Two streams without an engine: the test carries their bytes.

use bytes::BytesMut;

use super::*;
use crate::engine::event::StreamEvent;
use crate::wire::{LocalId, Message, NoiseKeyPair, ProtocolOptions};

const KEY: [u8; 32] = [5; 32];

fn stream(initiator: bool) -> StreamActor {
    let seed = u8::from(initiator);
    let protocol = ProtocolOptions {
        noise: true,
        encrypted: true,
        authenticate: false,
        key_pair: NoiseKeyPair::from_seed(&[seed; 32]),
        max_remote_channels: 16,
    };
    StreamActor::new(StreamOptions { initiator, protocol, timeout: Some(7), random: [seed; 56] })
}

fn drain(stream: &mut StreamActor) -> Vec<Output> {
    std::iter::from_fn(|| stream.poll(true)).collect()
}

/// Carries bytes until neither has more; gives what each said.
fn carry(a: &mut StreamActor, b: &mut StreamActor) -> [Vec<Output>; 2] {
    let (mut said_a, mut said_b) = (drain(a), drain(b));
    loop {
        let (to_b, to_a) = (a.take_chunk(), b.take_chunk());
        if to_a.is_none() && to_b.is_none() {
            return [said_a, said_b];
        }
        to_b.into_iter().for_each(|chunk| b.handle(Input::Receive(BytesMut::from(&*chunk))));
        to_a.into_iter().for_each(|chunk| a.handle(Input::Receive(BytesMut::from(&*chunk))));
        said_a.extend(drain(a));
        said_b.extend(drain(b));
    }
}

fn pair() -> (StreamActor, StreamActor, LocalId, LocalId) {
    let (mut a, mut b) = (stream(true), stream(false));
    let at_a = a.adopt(&KEY).unwrap();
    let at_b = b.adopt(&KEY).unwrap();
    assert_eq!((at_a.timeout, at_a.is_remote_open), (Some(7), false));
    let said = carry(&mut a, &mut b);
    let opened = |said: &[Output]| said.iter().any(|output| matches!(output, Output::ToFeed(_, FromStream::Opened)));
    assert!(said.iter().all(|said| opened(said)));
    (a, b, at_a.local, at_b.local)
}

fn messages(said: &[Output]) -> usize {
    said.iter().filter(|output| matches!(output, Output::ToFeed(_, FromStream::Message(_)))).count()
}

#[test]
fn messages_arrive_on_the_channel_of_the_feed() {
    let (mut a, mut b, at_a, at_b) = pair();
    a.handle(Input::Send(at_a, Message::Unwant { start: 3, length: None }));
    let [_, said] = carry(&mut a, &mut b);
    let is_it = |output: &Output| matches!(output, Output::ToFeed(at, FromStream::Message(Message::Unwant { start: 3, .. })) if *at == at_b);
    assert_eq!(said.iter().filter(|output| is_it(output)).count(), 1);
    assert!(a.adopt(&KEY).is_none());
}

#[test]
fn a_remote_with_too_much_to_do_is_not_read_from() {
    let (mut a, mut b, at_a, at_b) = pair();
    b.handle(Input::Load(at_b, Load { requests: 1 << 20, bytes: 0 }));
    a.handle(Input::Send(at_a, Message::Unwant { start: 3, length: None }));
    let [_, said] = carry(&mut a, &mut b);
    assert_eq!(messages(&said), 0);
    assert!(b.is_full());
    b.handle(Input::Hold);
    assert!(drain(&mut b).is_empty());
    b.handle(Input::Load(at_b, Load::default()));
    let said = drain(&mut b);
    assert_eq!(messages(&said), 1);
    let drained = |output: &Output| matches!(output, Output::Event(StreamEvent::Drained));
    assert_eq!(said.iter().filter(|output| drained(output)).count(), 1);
}

#[test]
fn requests_are_answered_only_while_there_is_room() {
    let (mut a, _, at_a, _) = pair();
    a.handle(Input::Asked(at_a));
    let is_room = |output: &Output| matches!(output, Output::ToFeed(at, FromStream::Room) if *at == at_a);
    assert!(drain(&mut a).iter().any(is_room));
    a.handle(Input::Served(at_a));
    let payload = vec![0; 300 << 10].into();
    a.handle(Input::Send(at_a, Message::Extension { id: 0, payload }));
    a.handle(Input::Asked(at_a));
    assert!(!drain(&mut a).iter().any(is_room));
    a.take_chunk();
    assert!(drain(&mut a).iter().any(is_room));
}

#[test]
fn what_breaks_the_wire_ends_the_stream() {
    let mut a = stream(false);
    // A handshake message is longer than five bytes.
    a.handle(Input::Receive(BytesMut::from(&[5; 6][..])));
    let said = drain(&mut a);
    assert!(matches!(said.last(), Some(Output::Event(StreamEvent::Fail(_)))), "{said:?}");
    assert!(a.has_failed() && drain(&mut a).is_empty());
}

#[test]
fn a_closed_channel_is_told_to_its_feed_before_anybody_else() {
    let (mut a, mut b, at_a, at_b) = pair();
    a.handle(Input::CloseChannel(crate::math::crypto::discovery_key(&KEY)));
    let said = carry(&mut a, &mut b);
    for (said, local) in said.iter().zip([at_a, at_b]) {
        let gone =
            said.iter().position(|output| matches!(output, Output::ToFeed(at, FromStream::Gone) if *at == local));
        let closed = said.iter().position(|output| matches!(output, Output::Event(StreamEvent::ChannelClosed { .. })));
        assert!(gone.is_some() && gone < closed, "{said:?}");
    }
}
