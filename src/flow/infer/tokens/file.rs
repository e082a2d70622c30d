//! The tokenizer's file: read from the model's folder, held against its hash, and run by the crate `tokenizers` (the
//! feature `tokenizers`). A build without the feature refuses every such file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::models::catalogue::sha256_of;

/// The largest file; vocabularies of a quarter of a million tokens take about 20 MB.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A tokenizer that cuts texts to a fixed length.
#[derive(Debug)]
pub(super) struct Tokenizer {
    #[cfg(feature = "tokenizers")]
    tokenizer: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads a `tokenizer.json` and sets it to `length` tokens, those it adds itself among them.
    ///
    /// # Errors
    /// One sentence naming the file: it cannot be read, has another hash, is no tokenizer, pads on the left, or adds more
    /// tokens than there is room for.
    pub(super) fn open(path: &Path, sha256: &str, length: usize) -> Result<Self, String> {
        let shown = path.display();
        let mut bytes = Vec::new();
        let opened = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        opened.map_err(|cause| format!("{shown} cannot be read: {cause}"))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
            return Err(format!("{shown} has more than {MAX_BYTES} bytes, too many for a tokenizer"));
        }
        let seen = sha256_of(&bytes);
        if seen != sha256 {
            return Err(format!("{shown}: sha256 is {seen}, the passport wants {sha256}"));
        }
        Self::of(&bytes, length).map_err(|why| format!("{shown}: {why}"))
    }

    #[cfg(feature = "tokenizers")]
    fn of(bytes: &[u8], length: usize) -> Result<Self, String> {
        use tokenizers::{PaddingDirection, PostProcessor, TruncationParams};

        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(|why| format!("no tokenizer: {why}"))?;
        if tokenizer.get_padding().is_some_and(|padding| matches!(padding.direction, PaddingDirection::Left)) {
            return Err("it pads on the left; a tokenizer that pads on the right is wanted".into());
        }
        let added = tokenizer.get_post_processor().map_or(0, |added| added.added_tokens(false));
        if added > length {
            return Err(format!("it adds {added} tokens to every text, the input has room for {length}"));
        }
        let direction = tokenizer.get_truncation().map(|truncation| truncation.direction).unwrap_or_default();
        let truncation = TruncationParams { max_length: length, direction, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|why| why.to_string())?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer })
    }

    #[cfg(not(feature = "tokenizers"))]
    fn of(_bytes: &[u8], _length: usize) -> Result<Self, String> {
        Err("this build is without tokenizers: build with the cargo feature `tokenizers`".into())
    }

    /// The number of each token and that of the segment it belongs to; both lists are of one length.
    ///
    /// # Errors
    /// One sentence when the tokenizer refuses the text.
    #[cfg(feature = "tokenizers")]
    pub(super) fn encode(&self, text: &str) -> Result<(Vec<u32>, Vec<u32>), String> {
        let encoded = self.tokenizer.encode_fast(text, true);
        let encoded = encoded.map_err(|why| format!("the tokenizer refuses the text: {why}"))?;
        Ok((encoded.get_ids().to_vec(), encoded.get_type_ids().to_vec()))
    }

    /// Never called: there is no tokenizer in this build.
    #[cfg(not(feature = "tokenizers"))]
    pub(super) fn encode(&self, _text: &str) -> Result<(Vec<u32>, Vec<u32>), String> {
        Err("this build is without tokenizers: build with the cargo feature `tokenizers`".into())
    }
}
