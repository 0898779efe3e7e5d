//! Guests built by hand: tables, STEs, CDs and queues as raw words.
//!
//! Nothing here uses `engine::layout`: a wrong bit must not be able to agree with itself. Sizes are computed by multiplication of
//! entries, not by the shifts that the engine uses.

pub mod guest;
pub mod tables;
