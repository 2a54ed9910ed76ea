//! Border: what both sides of the door must agree on, written once.
//!
//! ```text
//! native.border() -> { events: { Done: 0, .. }, storage: { READ: 0, .. }, .., limits: { .. }, messages: [ .. ] }
//! ```
//! JavaScript reads all of it here (`lib/core/border.js`), the other files of this room use the
//! constants. So no number stands as a literal on both sides. What only JavaScript goes by (its
//! turns, its clocks) stands here as well, beside what the engine goes by.
//!
//! A new field of a message touches `wire::Message`, its values on the way to JavaScript
//! (`engine`), its [`MessageSpec`] on the way back, and [`MESSAGES`].
//!
//! [`MessageSpec`]: super::message::MessageSpec
//!
//! Invariant: the object is the same whenever it is asked for.

use napi::bindgen_prelude::{Array, Null, Object};
use napi::{Env, Result};
use napi_derive::napi;

use super::kind::KINDS;
use crate::store::File;

/// Numbers with their names: constants for this side, a list for the other one.
macro_rules! numbers {
    ($(#[$doc:meta])* $table:ident: $kind:ty { $($name:ident = $value:expr,)* }) => {
        $(#[$doc])*
        #[allow(missing_docs)]
        pub mod $table {
            $(pub const $name: $kind = $value;)*
            /// All of them, by name.
            pub const ALL: &[(&str, f64)] = &[$((stringify!($name), $name as f64)),*];
        }
    };
}

numbers! {
    /// What a storage in JavaScript is asked to do.
    storage: u64 { READ = 0, WRITE = 1, CLEAR = 2, STAT = 3, CLOSE = 4, DESTROY = 5, }
}

numbers! {
    /// What it answers: bytes, a length or nothing; there is no such file, or it ends before; the
    /// number of a kept error; this file cannot do that.
    answer: u32 { DONE = 0, ABSENT = 1, FAILED = 2, UNABLE = 3, }
}

numbers! {
    /// What a hook is asked.
    hook: u64 { SIGN = 0, VERIFY = 1, WRITE = 2, }
}

numbers! {
    /// What a call leaves behind: events; something for the feed's storage to do; an append's
    /// answer on the page, and nothing else. From BRINGS on, that many eighths of the bytes of
    /// requests that are on the page.
    rest: u32 { EVENTS = 1, ASKS = 2, ANSWERS = 4, BRINGS = 8, }
}

numbers! {
    /// What a call that peers may be needed for leaves behind: events; no peer is needed.
    begun: u32 { EVENTS = 1, LOCAL = 2, }
}

numbers! {
    /// What an update is answered at once: it waits; it is that long; the writer knows of nothing
    /// newer; no peer is expected to.
    verdict: u32 { WAIT = 0, REACHED = 1, NOTHING_NEW = 2, EXPECTED = 3, }
}

numbers! {
    /// How an update is asked for: give up if no peer can help; ask peers though the log is the
    /// writer's.
    update: u64 { IF_AVAILABLE = 1, FORCE = 2, }
}

numbers! {
    /// How a block in a JavaScript storage is read on: in the plain way; this is the block, then;
    /// nodes, and there is more to read; what was read is the block.
    step: u32 { PLAINLY = 0, BLOCK = 1, NODES = 2, DONE = 3, }
}

numbers! {
    /// Places in what tells how to read on.
    place: usize { STEP = 0, OFFSET = 1, SIZE = 2, NODE = 3, VERSION = 4, PLACES = 5, }
}

numbers! {
    /// Who listens to a feed.
    hears: u32 { DOWNLOADS = 1, UPLOADS = 2, }
}

numbers! {
    /// What became of a chunk: events wait; the chunk is not consumed yet.
    taken: u32 { EVENTS = 1, HELD = 2, }
}

numbers! {
    /// Places in `peerInfo`.
    peer: usize {
        OPENED = 0, LENGTH = 1, DOWNLOADING = 2, UPLOADING = 3, ACK = 4, INFLIGHT = 5,
        DOWN_BLOCKS = 6, DOWN_BYTES = 7, UP_BLOCKS = 8, UP_BYTES = 9,
    }
}

numbers! {
    /// When the event loop turns: TURN and PATIENCE are milliseconds; the clock is looked at every
    /// EVERY steps; a step may hash or copy STEP bytes. Who is patient goes on for ENDLESS steps at
    /// least, and pieces of more than HEAVY bytes have no patience.
    turn: u32 { TURN = 2, EVERY = 16, PATIENCE = 40, ENDLESS = 1536, STEP = 4096, HEAVY = 16384, }
}

numbers! {
    /// Bytes of a block; bytes handed to a stream, or out of it, at a time; requests in flight that
    /// stand for "as many as the line takes"; blocks that a read stream asks for ahead;
    /// milliseconds of silence.
    limits: usize { BLOCK = crate::feed::MAX_BLOCK_SIZE, SLICE = 65536, REQUESTS = 16, AHEAD = 16, TIMEOUT = 20000, }
}

/// What a field of a message is, and what it is for programs when it is absent.
#[derive(Clone, Copy)]
pub enum Shape {
    /// It must be there.
    Required,
    /// A number, or this one.
    Number(f64),
    /// True or false.
    Flag,
    /// Bytes, or null.
    Bytes,
    /// Strings.
    Names,
    /// Nodes of the tree.
    Nodes,
}

use Shape::{Bytes, Flag, Names, Nodes, Number, Required};

/// A kind of message: number on the wire, name, fields in the order of stock's schema.
pub type MessageKind = (u32, &'static str, &'static [(&'static str, Shape)]);

/// What is said about a feed. An extension's message is no object: it has an id and a payload.
pub const MESSAGES: [MessageKind; 9] = [
    (1, "options", &[("extensions", Names), ("ack", Flag)]),
    (2, "status", &[("uploading", Flag), ("downloading", Flag)]),
    (3, "have", &[("start", Required), ("length", Number(1.0)), ("bitfield", Bytes), ("ack", Flag)]),
    (4, "unhave", &[("start", Required), ("length", Number(1.0))]),
    (5, "want", &[("start", Required), ("length", Number(0.0))]),
    (6, "unwant", &[("start", Required), ("length", Number(0.0))]),
    (7, "request", &[("index", Required), ("bytes", Number(0.0)), ("hash", Flag), ("nodes", Number(0.0))]),
    (8, "cancel", &[("index", Required), ("bytes", Number(0.0)), ("hash", Flag)]),
    (9, "data", &[("index", Required), ("value", Bytes), ("nodes", Nodes), ("signature", Bytes)]),
];

/// The kind of an extension's message.
pub const EXTENSION: u32 = 15;

/// All that both sides agree on.
#[napi(catch_unwind)]
pub fn border(env: &Env) -> Result<Object<'_>> {
    let tables: [(&str, &[(&str, f64)]); 14] = [
        ("storage", storage::ALL),
        ("answer", answer::ALL),
        ("hook", hook::ALL),
        ("rest", rest::ALL),
        ("begun", begun::ALL),
        ("verdict", verdict::ALL),
        ("update", update::ALL),
        ("step", step::ALL),
        ("place", place::ALL),
        ("hears", hears::ALL),
        ("taken", taken::ALL),
        ("peer", peer::ALL),
        ("turn", turn::ALL),
        ("limits", limits::ALL),
    ];
    let mut border = Object::new(env)?;
    for (name, numbers) in tables {
        border.set(name, table(env, numbers)?)?;
    }
    let kinds: Vec<(&str, f64)> = KINDS.iter().map(|(name, kind)| (*name, f64::from(*kind as u32))).collect();
    border.set("events", table(env, &kinds)?)?;
    border.set("files", File::ALL.map(File::name).to_vec())?;
    border.set("messages", messages(env)?)?;
    border.set("extension", EXTENSION)?;
    Ok(border)
}

fn table<'env>(env: &'env Env, numbers: &[(impl AsRef<str>, f64)]) -> Result<Object<'env>> {
    let mut table = Object::new(env)?;
    for (name, number) in numbers {
        table.set(name.as_ref(), *number)?;
    }
    Ok(table)
}

/// [`MESSAGES`] as { kind, name, fields: [{ name, isRequired, isBytes, isNodes, absent }] }.
fn messages(env: &Env) -> Result<Array<'_>> {
    let mut list = env.create_array(0)?;
    for (kind, name, fields) in MESSAGES {
        let mut message = Object::new(env)?;
        message.set("kind", kind)?;
        message.set("name", name)?;
        let mut described = env.create_array(0)?;
        for (name, shape) in fields {
            described.insert(field(env, name, *shape)?)?;
        }
        message.set("fields", described)?;
        list.insert(message)?;
    }
    Ok(list)
}

fn field<'env>(env: &'env Env, name: &str, shape: Shape) -> Result<Object<'env>> {
    let mut field = Object::new(env)?;
    field.set("name", name)?;
    field.set("isRequired", matches!(shape, Required))?;
    field.set("isBytes", matches!(shape, Bytes))?;
    field.set("isNodes", matches!(shape, Nodes))?;
    match shape {
        Required => field.set("absent", 0)?,
        Number(absent) => field.set("absent", absent)?,
        Flag => field.set("absent", false)?,
        Bytes => field.set("absent", Null)?,
        Names | Nodes => field.set("absent", env.create_array(0)?)?,
    }
    Ok(field)
}
