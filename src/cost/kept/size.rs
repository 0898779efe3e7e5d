//! A number of entries, as a formula in devices and slots.

use std::fmt::{Display, Formatter, Result as Fmt};

use super::super::formula::terms;
use super::software::Largest;

/// Devices and SubstreamIDs of each: the first three determine a formula, the others verify it.
pub(super) const POINTS: [(u8, u8); 5] = [(1, 1), (1, 2), (2, 1), (1, 3), (2, 2)];

/// A number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// `one + d·devices + s·slots`.
    Linear {
        /// The constant.
        one: i64,
        /// For each device.
        d: i64,
        /// For each slot.
        s: i64,
    },
    /// No such formula meets all points; the largest number of all.
    AtLeast(u32),
}

impl Size {
    /// Whether it is more than another somewhere within the points, or may be.
    pub fn exceeds(&self, other: &Size) -> bool {
        let at = |size: &Size, (devices, ssids): (u8, u8)| match *size {
            Size::Linear { one, d, s } => {
                one + d * i64::from(devices) + s * i64::from(devices * ssids)
            }
            Size::AtLeast(entries) => i64::from(entries),
        };
        POINTS
            .iter()
            .any(|&point| at(self, point) > at(other, point))
    }

    pub(super) fn fit(reached: &[((u8, u8), Option<Largest>)], table: usize) -> Self {
        let known = || {
            reached
                .iter()
                .filter_map(|(at, found)| Some((at, found.as_ref()?)))
        };
        let entries = |found: &Largest| found.entries[table];
        let value = |devices, ssids| {
            let found = known().find(|(at, _)| **at == (devices, ssids));
            found.map(|(_, found)| i64::from(entries(found)))
        };
        let linear = || {
            let (first, more_slots, more_devices) = (value(1, 1)?, value(1, 2)?, value(2, 1)?);
            let s = more_slots - first;
            let d = more_devices - more_slots;
            Some((first - d - s, d, s))
        };
        let meets = |(one, d, s): &(i64, i64, i64)| {
            reached.iter().all(|((devices, ssids), found)| {
                let (devices, slots) = (i64::from(*devices), i64::from(devices * ssids));
                let is = found.as_ref().filter(|found| found.is_all).map(entries);
                is.map(i64::from) == Some(one + d * devices + s * slots)
            })
        };
        match linear().filter(meets) {
            Some((one, d, s)) => Size::Linear { one, d, s },
            None => Size::AtLeast(known().map(|(_, found)| entries(found)).max().unwrap_or(0)),
        }
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match *self {
            Size::Linear { one, d, s } => terms(f, &[(s, "s"), (d, "d"), (one, "")]),
            Size::AtLeast(entries) => write!(f, "≥ {entries}, no formula"),
        }
    }
}
