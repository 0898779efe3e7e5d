//! P-LIVE: nobody gets stuck.

use vocab::PropertyId;

use super::{Judged, Property};

pub const PROPERTY: Property = Property {
    id: PropertyId::Live,
    claim: "some step is possible wherever an operation is in progress, and from every reachable state a state without operations \
            in progress and with every lock given back can be reached",
    source: "Arm IHI 0070 G.b, 4.1 \"Commands overview\": a queue is shared; one user must not wedge it for all",
    witness: "a state in which an operation is in progress",
    broken_by: "specs/mutants/lock-order.toml",
    holds: None,
    judged: Judged::Always,
};
