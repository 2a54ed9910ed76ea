use super::*;
use crate::math::varint;
use crate::wire::noise::NoiseError;
use bytes::Bytes;
use hex_literal::hex;
use proptest::prelude::*;

fn options(byte: u8) -> ProtocolOptions {
    ProtocolOptions {
        noise: true,
        encrypted: true,
        authenticate: false,
        key_pair: NoiseKeyPair::from_seed(&[byte; 32]),
        max_remote_channels: 3,
    }
}

fn random(ephemeral: u8, nonce: u8) -> [u8; 56] {
    std::array::from_fn(|i| if i < 32 { ephemeral } else { nonce })
}

/// The initiator and the responder of the vectors in noise.rs.
fn pair(change: impl Fn(&mut ProtocolOptions)) -> (Protocol, Protocol) {
    let (mut a, mut b) = (options(11), options(12));
    change(&mut a);
    change(&mut b);
    (Protocol::new(true, a, random(21, 31)), Protocol::new(false, b, random(22, 32)))
}

fn drain(protocol: &mut Protocol) -> Result<Vec<Event>, ProtocolError> {
    std::iter::from_fn(|| protocol.poll().transpose()).collect()
}

/// Carries bytes both ways until none are left; gives what happened to `a` and to `b`.
fn run(a: &mut Protocol, b: &mut Protocol, chunk: usize) -> Result<(Vec<Event>, Vec<Event>), ProtocolError> {
    let (mut at_a, mut at_b) = (drain(a)?, drain(b)?);
    while a.pending_output() + b.pending_output() > 0 {
        b.receive(BytesMut::from(&a.take_output(chunk)[..]));
        at_b.extend(drain(b)?);
        a.receive(BytesMut::from(&b.take_output(chunk)[..]));
        at_a.extend(drain(a)?);
    }
    Ok((at_a, at_b))
}

const KEY: [u8; 32] = [9; 32];

fn name() -> Hash {
    crypto::discovery_key(&KEY)
}

fn have(start: u64) -> Message {
    Message::Have { start, length: None, bitfield: None, ack: false }
}

fn frame(channel: u64, message: &Message) -> BytesMut {
    let mut out = Vec::new();
    message.encode(channel, &mut out);
    BytesMut::from(&out[..])
}

/// Made with simple-hypercore-protocol@2.1.2: the same keys and nonces as in noise.rs, open(key all
/// 9), have(300).
#[test]
fn encrypted_bytes_agree_with_stock() {
    let (mut a, mut b) = pair(|_| {});
    let local = a.open(KEY);
    a.send(local, have(300));
    while a.is_handshaking() || b.is_handshaking() {
        b.receive(BytesMut::from(&a.take_output(59)[..]));
        drain(&mut b).unwrap();
        a.receive(BytesMut::from(&b.take_output(123)[..]));
        let waited = a.is_handshaking();
        drain(&mut a).unwrap();
        if waited && !a.is_handshaking() {
            break;
        }
    }
    assert_eq!(
        a.output()[91..],
        hex!(
            "11cc0a7471dbbbf1c65bb7a296321c0d21075c0f4879e7b1bc41d604df0beb2062176dbd666fed92eebb4f7f4d4f58bf20eab372eb82df90a9da697ef75d380d129008ae87cc652f786895"
        )
    );
}

#[test]
fn events_come_in_stocks_order() {
    let (mut a, mut b) = pair(|_| {});
    let (in_a, in_b) = (a.open(KEY), b.open(KEY));
    a.send_stream(Message::Options { extensions: vec!["x".into()], ack: None });
    a.send_stream(Message::Extension { id: 0, payload: Bytes::from_static(b"hi") });
    a.send(in_a, have(300));
    a.ping();
    let (at_a, at_b) = run(&mut a, &mut b, 7).unwrap();
    let opened =
        |local| [Event::Duplex { local, discovery_key: name() }, Event::Opened { local }, Event::RemoteOpen(name())];
    assert_eq!(at_a, [&[Event::Handshake][..], &opened(in_a)].concat());
    let said = [
        Event::Extensions(vec!["x".into()]),
        Event::StreamExtension { id: 0, payload: Bytes::from_static(b"hi") },
        Event::Message { local: in_b, message: have(300) },
    ];
    assert_eq!(at_b, [&[Event::Handshake][..], &opened(in_b), &said].concat());
    assert!(a.remote_verified(&KEY) && b.remote_opened(&name()) && b.is_open(&name()));
    assert_eq!((a.remote_public_key(), a.handshake_hash()), (b.public_key(), b.handshake_hash()));

    assert_eq!((a.close(&name()), a.channel_count()), (Some(in_a), 0));
    let (at_a, at_b) = run(&mut a, &mut b, 1000).unwrap();
    assert_eq!((at_a, at_b), (vec![], vec![Event::Closed { local: Some(in_b), discovery_key: name() }]));
    assert_eq!(b.channel_count(), 0);
}

#[test]
fn a_feed_opened_while_its_discovery_key_is_handled() {
    let (mut a, mut b) = pair(|_| {});
    a.open(KEY);
    while b.channel_count() == 0 {
        b.receive(BytesMut::from(&a.take_output(1000)[..]));
        a.receive(BytesMut::from(&b.take_output(1000)[..]));
        drain(&mut a).unwrap();
        while let Some(event) = b.poll().unwrap() {
            if event == Event::DiscoveryKey(name()) {
                break;
            }
        }
    }
    assert!(b.remote_verified(&KEY) && !b.remote_verified(&[8; 32]));
    let local = b.open(KEY);
    let opened = [Event::Duplex { local, discovery_key: name() }, Event::Opened { local }, Event::RemoteOpen(name())];
    assert_eq!(drain(&mut b).unwrap(), opened);
}

#[test]
fn what_is_opened_and_closed_during_the_handshake_is_never_said() {
    let (mut a, mut b) = pair(|_| {});
    let other = a.open([8; 32]);
    for _ in 0..3 {
        let local = a.open(KEY);
        a.send(local, have(1));
        a.send(other, have(2));
        assert_eq!(a.close(&name()), Some(local));
    }
    assert!(matches!(&a.state, State::Handshake { pending, .. } if pending.len() == 4));
    let (_, at_b) = run(&mut a, &mut b, usize::MAX).unwrap();
    assert!(at_b.contains(&Event::DiscoveryKey(crypto::discovery_key(&[8; 32]))));
    assert!(!at_b.contains(&Event::DiscoveryKey(name())));
}

#[test]
fn a_feed_that_is_refused_is_closed() {
    let (mut a, mut b) = pair(|_| {});
    let local = a.open(KEY);
    let (_, at_b) = run(&mut a, &mut b, 1000).unwrap();
    assert_eq!(at_b, [Event::Handshake, Event::DiscoveryKey(name()), Event::RemoteOpen(name())]);
    a.send(local, have(1));
    assert_eq!(b.close(&name()), None);
    let (at_a, at_b) = run(&mut a, &mut b, 1000).unwrap();
    assert_eq!(at_a, [Event::Closed { local: Some(local), discovery_key: name() }]);
    assert_eq!(at_b, [Event::Closed { local: None, discovery_key: name() }]);
}

#[test]
fn q3_a_close_for_a_feed_that_is_not_open_uses_up_a_number() {
    let (mut a, _) = pair(|options| (options.noise, options.encrypted) = (false, false));
    assert_eq!(a.open(KEY), LocalId(1));
    assert_eq!(a.close(&[7; 32]), None);
    assert_eq!(a.open([8; 32]), LocalId(3));
    let close = frame(2, &Message::Close { discovery_key: Some([7; 32]) });
    let open = frame(1, &Message::Open { discovery_key: name(), capability: None });
    assert!(a.output().starts_with(&[&open[..], &close].concat()));
}

#[test]
fn streams_without_noise_or_cipher() {
    let (mut a, mut b) = pair(|options| (options.noise, options.encrypted) = (false, false));
    let (local, other) = (a.open(KEY), b.open(KEY));
    a.send(local, have(1));
    assert_eq!(
        a.output(),
        [&frame(1, &Message::Open { discovery_key: name(), capability: None })[..], &frame(1, &have(1))].concat()
    );
    let (_, at_b) = run(&mut a, &mut b, 5).unwrap();
    assert_eq!(at_b.last(), Some(&Event::Message { local: other, message: have(1) }));
    assert_eq!((a.public_key(), a.remote_verified(&KEY)), (None, false));

    let (mut a, mut b) = pair(|options| options.encrypted = false);
    let (_, other) = (a.open(KEY), b.open(KEY));
    run(&mut a, &mut b, 5).unwrap();
    b.receive(frame(1, &have(1)));
    assert_eq!(drain(&mut b), Ok(vec![Event::Message { local: other, message: have(1) }]));
}

#[test]
fn the_caller_may_refuse_a_remote() {
    let (mut a, mut b) = pair(|options| options.authenticate = true);
    let (at_a, at_b) = run(&mut a, &mut b, 1000).unwrap();
    assert_eq!((at_a, at_b), (vec![Event::Authenticate(b.public_key().unwrap())], vec![]));
    a.authenticated(true);
    let (at_a, at_b) = run(&mut a, &mut b, 1000).unwrap();
    assert_eq!((at_a, at_b), (vec![Event::Handshake], vec![Event::Authenticate(a.public_key().unwrap())]));
    b.authenticated(false);
    assert_eq!(b.poll(), Err(ProtocolError::Noise(NoiseError::Handshake)));
    assert_eq!(b.poll(), Ok(None));
}

/// A stream after the handshake, without cipher, so that a test can say anything to it.
fn listener() -> Protocol {
    let (mut a, mut b) = pair(|options| options.encrypted = false);
    run(&mut a, &mut b, 1000).unwrap();
    b
}

#[test]
fn capabilities_must_be_right() {
    for capability in [None, Some([0; 32])] {
        let mut b = listener();
        b.open(KEY);
        b.receive(frame(5, &Message::Open { discovery_key: name(), capability }));
        assert_eq!(b.poll(), Err(ProtocolError::Capability));

        let mut b = listener();
        b.receive(frame(5, &Message::Open { discovery_key: name(), capability }));
        drain(&mut b).unwrap();
        b.open(KEY);
        b.receive(frame(5, &have(1)));
        assert_eq!(drain(&mut b), Ok(vec![]));
    }
}

#[test]
fn remotes_cannot_make_tables_grow() {
    let mut b = listener();
    let open = |n: u8| frame(u64::from(n) << 45, &Message::Open { discovery_key: [n; 32], capability: None });
    (0..3).for_each(|n| b.receive(open(n)));
    drain(&mut b).unwrap();
    b.receive(open(2));
    drain(&mut b).unwrap();
    assert_eq!(b.channel_count(), 3);
    b.receive(open(3));
    assert_eq!(b.poll(), Err(ProtocolError::TooManyChannels));
}

proptest! {
    #[test]
    fn chunks_do_not_matter(sizes in prop::collection::vec(1usize..200, 1..20), values in prop::collection::vec(0usize..3000, 0..6)) {
        let (mut a, mut b) = pair(|_| {});
        let (from, to) = (a.open(KEY), b.open(KEY));
        let data = |len: &usize| Message::Data { index: 0, value: Some(vec![7; *len].into()), nodes: vec![], signature: None };
        values.iter().for_each(|len| a.send(from, data(len)));
        let mut heard = Vec::new();
        for size in sizes.iter().cycle() {
            if a.pending_output() + b.pending_output() == 0 { break }
            b.receive(BytesMut::from(&a.take_output(*size)[..]));
            heard.extend(drain(&mut b).unwrap());
            a.receive(BytesMut::from(&b.take_output(*size)[..]));
            drain(&mut a).unwrap();
        }
        let said: Vec<_> = values.iter().map(|len| Event::Message { local: to, message: data(len) }).collect();
        prop_assert_eq!(&heard[4..], &said[..]);
    }

    #[test]
    fn any_bytes_are_events_or_an_error(bytes: Vec<u8>, frames in prop::collection::vec((0u64..4, 0u8..16, any::<Vec<u8>>()), 0..9)) {
        let (_, mut b) = pair(|_| {});
        b.receive(BytesMut::from(&bytes[..]));
        let _ = drain(&mut b);
        let mut b = listener();
        b.open(KEY);
        b.receive(BytesMut::from(&bytes[..]));
        let _ = drain(&mut b);
        let mut b = listener();
        for (channel, kind, body) in frames {
            let mut out = Vec::new();
            varint::encode(body.len() as u64 + 1, &mut out);
            varint::encode(channel << 4 | u64::from(kind), &mut out);
            b.receive(BytesMut::from(&[out, body].concat()[..]));
        }
        let _ = drain(&mut b);
        prop_assert!(b.channel_count() <= 4);
    }
}
