//! From counts at points to a formula: fit, verify, print.
//!
//! A count is taken for `a + b·n + c·k + d·kn` if that, fitted to the points with the two smallest k, meets all other points too. If it
//! does not, k = 1 is taken for a case of its own, as the last slot of a space often is: then a count that for k > 1 does not depend on k
//! is given as two formulas in n. Slopes that no further point could verify are never claimed.

use std::fmt::{Display, Formatter, Result as Fmt};

use super::Point;

/// A count as a function of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// One formula for all points.
    Linear(Linear),
    /// k = 1 is a case of its own.
    LastApart {
        /// For k = 1.
        last: Linear,
        /// For k > 1.
        others: Linear,
    },
    /// Neither.
    NotLinear,
}

/// `one + n·n + k·k + kn·kn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Linear {
    one: i64,
    n: i64,
    k: i64,
    kn: i64,
}

impl Linear {
    /// Its value at a point.
    fn at(&self, point: Point) -> i64 {
        let (k, n) = (i64::from(point.k), i64::from(point.n));
        self.one + self.n * n + self.k * k + self.kn * k * n
    }

    fn meets(&self, points: &[(Point, u32)]) -> bool {
        points
            .iter()
            .all(|(point, count)| self.at(*point) == i64::from(*count))
    }

    /// The only one through the four corners (k, n) of the unit square.
    fn through(corner: impl Fn(u8, u8) -> Option<i64>) -> Option<Self> {
        let [c11, c21] = [corner(1, 1)?, corner(2, 1)?];
        let [c12, c22] = [corner(1, 2)?, corner(2, 2)?];
        let kn = c22 - c21 - c12 + c11;
        let k = c21 - c11 - kn;
        let n = c12 - c11 - kn;
        let one = c11 - k - n - kn;
        Some(Linear { one, n, k, kn })
    }
}

impl Formula {
    /// What meets all of the points, if anything does.
    pub fn fit(points: &[(Point, u32)]) -> Self {
        let value = |k, n| {
            let known = points.iter().find(|(point, _)| *point == Point { k, n });
            known.map(|(_, count)| i64::from(*count))
        };
        if let Some(linear) = Linear::through(value).filter(|linear| linear.meets(points)) {
            return Formula::Linear(linear);
        }
        let (last, others): (Vec<_>, Vec<_>) = points.iter().partition(|(point, _)| point.k == 1);
        // Constant in k: both corners of an edge have the value of one of them.
        let edge = |of| Linear::through(|_, n| value(of, n));
        let met = |linear: Option<Linear>, points: &[_]| linear.filter(|line| line.meets(points));
        match (met(edge(1), &last), met(edge(2), &others)) {
            (Some(last), Some(others)) => Formula::LastApart { last, others },
            _ => Formula::NotLinear,
        }
    }

    /// Whether there is a formula.
    pub fn is_one(&self) -> bool {
        *self != Formula::NotLinear
    }

    /// The formula for k > 1, and for k = 1 if that is another; none where there is no formula.
    pub fn cases(&self) -> Option<(Linear, Option<Linear>)> {
        match *self {
            Formula::Linear(all) => Some((all, None)),
            Formula::LastApart { last, others } => Some((others, Some(last))),
            Formula::NotLinear => None,
        }
    }
}

impl Display for Linear {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let terms = [
            (self.one, ""),
            (self.n, "n"),
            (self.k, "k"),
            (self.kn, "kn"),
        ];
        let mut is_first = true;
        for (factor, name) in terms.into_iter().filter(|(factor, _)| *factor != 0) {
            match (is_first, factor < 0) {
                (true, true) => write!(f, "-")?,
                (true, false) => {}
                (false, true) => write!(f, " - ")?,
                (false, false) => write!(f, " + ")?,
            }
            match factor.unsigned_abs() {
                1 if !name.is_empty() => write!(f, "{name}")?,
                factor => write!(f, "{factor}{name}")?,
            }
            is_first = false;
        }
        if is_first { write!(f, "0") } else { Ok(()) }
    }
}

impl Display for Formula {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match self {
            Formula::Linear(linear) => linear.fmt(f),
            Formula::LastApart { last, others } => write!(f, "{others}; {last} if k = 1"),
            Formula::NotLinear => write!(f, "not linear"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(count: fn(u32, u32) -> u32) -> String {
        let value = |point: Point| (point, count(point.k.into(), point.n.into()));
        let points: Vec<_> = super::super::points().map(value).collect();
        Formula::fit(&points).to_string()
    }

    #[test]
    fn what_is_linear_is_found() {
        assert_eq!(fitted(|_, _| 0), "0");
        assert_eq!(fitted(|_, _| 7), "7");
        assert_eq!(fitted(|k, _| 2 + k), "2 + k");
        assert_eq!(fitted(|k, n| n + 3 * k), "n + 3k");
        assert_eq!(fitted(|k, n| 1 + 2 * n + k * n), "1 + 2n + kn");
        assert_eq!(fitted(|k, _| 9 - 2 * k), "9 - 2k");
    }

    #[test]
    fn the_last_slot_may_be_a_case_of_its_own() {
        assert_eq!(fitted(|k, _| 2 + u32::from(k == 1)), "2; 3 if k = 1");
        assert_eq!(
            fitted(|k, n| if k == 1 { n } else { 1 + 2 * n }),
            "1 + 2n; n if k = 1"
        );
    }

    #[test]
    fn what_a_further_point_does_not_meet_is_not_claimed() {
        assert_eq!(fitted(|k, _| k * k), "not linear");
        assert_eq!(fitted(|k, n| if k == 3 { n * n } else { n }), "not linear");
        // A slope for k > 1 alone would have no point to be verified on.
        assert_eq!(fitted(|k, _| if k == 1 { 0 } else { 1 + k }), "not linear");
    }

    #[test]
    fn without_the_corners_nothing_is_claimed() {
        assert_eq!(
            Formula::fit(&[(Point { k: 1, n: 1 }, 1)]),
            Formula::NotLinear
        );
    }
}
