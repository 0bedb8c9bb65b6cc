//! The height of a block to be, as its coinbase says it.

/// The height that a coinbase's script must begin with (BIP 34): as `OP_1` to `OP_16`, or as the shortest push of the number, as
/// Bitcoin Core has it. `None` where it begins with anything else, or is cut off before the height's end.
pub(crate) fn bip34_height(script: &[u8]) -> Option<u32> {
    match *script.first()? {
        number @ 0x51..=0x60 => Some(u32::from(number - 0x50)),
        length @ 1..=4 => {
            let number = script.get(1..=usize::from(length))?;
            let height = number.iter().rev().fold(0, |height, byte| height << 8 | u32::from(*byte));
            // The uppermost bit is the sign. What fits without it into a byte less is written so.
            let range = 1_u64 << (8 * length);
            let fits = (range >> 9..range >> 1).contains(&height.into());
            (fits && height > 16).then_some(height)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::job::{Job, Root, SplitCoinbase};
    use crate::testing;

    /// What a script must be is tested beside `Coinbase::height`, on scripts by the `bitcoin` crate.
    #[test]
    fn heights_are_read_from_jobs() {
        let of = |coinbase1| {
            let mut job = testing::job();
            job.root = Root::Coinbase(SplitCoinbase { coinbase1, ..job.coinbase().unwrap().clone() });
            job.height()
        };
        let height = |script: &[u8]| of([&[0; 42][..], script].concat());
        assert_eq!(height(&[0x51, 0]), Some(1));
        assert_eq!(height(&[0x60]), Some(16));
        assert_eq!(height(&[1, 17]), Some(17));
        assert_eq!(height(&[2, 0xe8, 0x03]), Some(1000));
        assert_eq!(height(&[3, 0x00, 0x8d, 0x0c]), Some(822_528));
        for none in [&[3, 0x00][..], &[], &[1, 16], &[2, 17, 0], &[3, 0, 0, 0x80], &[0x4c, 1, 17], &[5, 1, 2, 3, 4, 5]]
        {
            assert_eq!(height(none), None, "{none:?}");
        }
        assert_eq!(of(vec![1, 2]), None);
        // A pool that gives the root says nothing of it.
        assert_eq!(Job { root: Root::Given([0; 32]), ..testing::job() }.height(), None);
    }
}
