//! How a message becomes a frame, and a frame a message: one table for each side of each protocol.

use crate::message::MessageError;
use binary_sv2::{GetSize, Serialize};
use codec_sv2::MessageFrame;
use codec_sv2::encoder::Encoder;

/// Makes an enum of messages from a table of: variant, type (and what it is read as, where that borrows from the frame), the specification's
/// name, the number, and whether it is said to a channel.
macro_rules! messages {
    (
        $(#[$doc:meta])*
        pub enum $enum:ident, $what:literal {
            $($variant:ident($owned:ty $(: $borrowed:ident)?) $name:literal $kind:expr, $of_channel:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub enum $enum {
            $(#[doc = concat!("`", $name, "`")] $variant($owned),)*
        }

        impl $enum {
            /// Reads a frame's message. What follows it in the frame is passed over: extensions may put something there.
            pub fn read(frame: Frame) -> Result<$enum, MessageError> {
                let Frame { extension, kind, mut payload } = frame;
                $crate::v2::messages::check_extension(extension)?;
                $(
                    if kind == $kind {
                        return Ok($enum::$variant(messages!(@read $name, &mut payload, $owned $(, $borrowed)?)));
                    }
                )*
                Err(MessageError::new("message type", format_args!("{kind:#04x}"), $what))
            }

            /// A frame with its header, not encrypted.
            ///
            /// # Errors
            /// It is longer than a frame may be.
            pub fn into_bytes(self) -> Result<Vec<u8>, MessageError> {
                match self {
                    $($enum::$variant(message) => $crate::v2::messages::frame($name, message, $kind, $of_channel),)*
                }
            }

            /// Its name in the specification.
            pub fn name(&self) -> &'static str {
                match self {
                    $($enum::$variant(_) => $name,)*
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($enum::$variant(message) => message.fmt(f),)*
                }
            }
        }
    };
    (@read $name:literal, $bytes:expr, $owned:ty) => {
        $crate::v2::messages::parse::<$owned>($name, $bytes)?
    };
    (@read $name:literal, $bytes:expr, $owned:ty, $borrowed:ident) => {
        $crate::v2::messages::parse::<$borrowed<'_>>($name, $bytes)?.into_owned()
    };
}
pub(super) use messages;

pub(super) fn check_extension(extension: u16) -> Result<(), MessageError> {
    match extension {
        0 => Ok(()),
        _ => Err(MessageError::new("extension_type", format_args!("{extension:#06x}"), "0: none was agreed on")),
    }
}

pub(super) fn parse<'a, T: binary_sv2::Deserialize<'a>>(
    name: &'static str,
    bytes: &'a mut [u8],
) -> Result<T, MessageError> {
    let length = bytes.len();
    binary_sv2::from_bytes(bytes)
        .map_err(|error| MessageError::new(name, format_args!("{length} bytes, {error}"), "its fields, and no fewer"))
}

pub(super) fn frame<T: Serialize + GetSize>(
    name: &'static str,
    message: T,
    kind: u8,
    of_channel: bool,
) -> Result<Vec<u8>, MessageError> {
    let frame = MessageFrame::from_message(message, kind, 0, of_channel).map_err(codec_sv2::Error::from);
    let bytes = frame.and_then(|frame| Encoder::new().encode(frame));
    bytes.map_err(|error| MessageError::new(name, error, "what fits in a frame"))
}
