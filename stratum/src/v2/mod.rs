//! Stratum V2 on the wire, for both sides: frames in Noise, and the messages in them.
//!
//! The handshake, the ciphers, the framing and the messages' bytes are those of the reference implementation (`noise_sv2`,
//! `codec_sv2`, `binary_sv2`, `mining_sv2`, …); here is what joins them to a connection, says what went wrong, and tells messages apart.
//! A text or a list of bytes is as long as its type allows, so that nothing grows beyond a frame.

mod authority;
mod frames;
mod key;
mod messages;
mod mining;
mod templates;

pub use authority::{Authority, AuthorityError};
pub use frames::{Frame, FrameError, Frames, HandshakeError};
pub use key::{AuthorityKey, KeyError};
pub use mining::{ClientMessage, ServerMessage};
pub use templates::{TemplateClientMessage, TemplateServerMessage};

/// The version of the protocol.
pub const VERSION: u16 = 2;
