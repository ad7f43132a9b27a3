//! The restore: an archive streamed into a scratch database.
