//! From counts at points to a formula: fit, verify, print.
//!
//! A count is taken for `a + b·n + c·k + d·kn` if that, fitted to the four points with k and n at most 2, meets all other points too. If
//! it does not, k = 1 is taken for a case of its own, as the last slot of a space often is, and the rest is fitted to k = 2 and 3. A slope in k
//! that no further point could verify is never claimed; then the count must not depend on k for k > 1.

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
    /// It meets the points, but too few of them to say so of any n.
    NotVerified,
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

    /// The only one through the four points with k at `least` and one more, n at 1 and 2.
    fn through(least: u8, value: impl Fn(u8, u8) -> Option<i64>) -> Option<Self> {
        let [near, far] = [value(least, 1)?, value(least + 1, 1)?];
        let [near_2, far_2] = [value(least, 2)?, value(least + 1, 2)?];
        let kn = far_2 - far - near_2 + near;
        let k = far - near - kn;
        let least = i64::from(least);
        let n = near_2 - near - least * kn;
        let one = near - least * k - n - least * kn;
        Some(Linear { one, n, k, kn })
    }

    /// Whether it is another for another n.
    fn depends_on_n(&self) -> bool {
        (self.n, self.kn) != (0, 0)
    }
}

impl Formula {
    /// What meets all of the points, if anything does.
    pub fn fit(points: &[(Point, u32)]) -> Self {
        let value = |k, n| {
            let known = points.iter().find(|(point, _)| *point == Point { k, n });
            known.map(|(_, count)| i64::from(*count))
        };
        let met = |linear: Option<Linear>, points: &[_]| linear.filter(|line| line.meets(points));
        if let Some(linear) = met(Linear::through(1, value), points) {
            return Formula::Linear(linear);
        }
        let (last, others): (Vec<_>, Vec<_>) = points.iter().partition(|(point, _)| point.k == 1);
        // Constant in k: all corners of an edge have the value of one of them.
        let edge = |of| Linear::through(of, |_, n| value(of, n));
        let is_verified = others.iter().any(|(point, _)| point.k > 3);
        let sloped = Linear::through(2, value).filter(|_| is_verified);
        match (
            met(edge(1), &last),
            met(sloped.or_else(|| edge(2)), &others),
        ) {
            (Some(last), Some(others)) => Formula::LastApart { last, others },
            _ => Formula::NotLinear,
        }
    }

    /// Whether there is a formula.
    pub fn is_one(&self) -> bool {
        self.cases().is_some()
    }

    /// Whether there is a formula that is another for another n.
    pub fn depends_on_n(&self) -> bool {
        self.cases().is_some_and(|(others, last)| {
            others.depends_on_n() || last.is_some_and(|last| last.depends_on_n())
        })
    }

    /// The formula for k > 1, and for k = 1 if that is another; none where there is no formula.
    pub fn cases(&self) -> Option<(Linear, Option<Linear>)> {
        match *self {
            Formula::Linear(all) => Some((all, None)),
            Formula::LastApart { last, others } => Some((others, Some(last))),
            Formula::NotLinear | Formula::NotVerified => None,
        }
    }
}

impl Display for Linear {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let Linear { one, n, k, kn } = *self;
        terms(f, &[(one, ""), (n, "n"), (k, "k"), (kn, "kn")])
    }
}

/// A sum of factors and what they are of, those that are 0 left out.
pub fn terms(f: &mut Formatter<'_>, terms: &[(i64, &str)]) -> Fmt {
    let mut is_first = true;
    for (factor, name) in terms.iter().filter(|(factor, _)| *factor != 0) {
        match (is_first, *factor < 0) {
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

impl Display for Formula {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match self {
            Formula::Linear(linear) => linear.fmt(f),
            Formula::LastApart { last, others } => write!(f, "{others}; {last} if k = 1"),
            Formula::NotLinear => write!(f, "not linear"),
            Formula::NotVerified => write!(f, "not verified"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(largest: [u8; 2], count: fn(u32, u32) -> u32) -> String {
        let value = |point: Point| (point, count(point.k.into(), point.n.into()));
        let points: Vec<_> = Point::up_to(largest).map(value).collect();
        Formula::fit(&points).to_string()
    }

    const FEW: [u8; 2] = [3, 2];
    const MANY: [u8; 2] = [5, 4];

    #[test]
    fn what_is_linear_is_found() {
        for largest in [FEW, MANY] {
            assert_eq!(fitted(largest, |_, _| 0), "0");
            assert_eq!(fitted(largest, |_, _| 7), "7");
            assert_eq!(fitted(largest, |k, _| 2 + k), "2 + k");
            assert_eq!(fitted(largest, |k, n| n + 3 * k), "n + 3k");
            assert_eq!(fitted(largest, |k, n| 1 + 2 * n + k * n), "1 + 2n + kn");
            assert_eq!(fitted(largest, |k, _| 9 - k), "9 - k");
        }
    }

    #[test]
    fn the_last_slot_may_be_a_case_of_its_own() {
        for largest in [FEW, MANY] {
            let last = fitted(largest, |k, _| 2 + u32::from(k == 1));
            assert_eq!(last, "2; 3 if k = 1");
            let last = fitted(largest, |k, n| if k == 1 { n } else { 1 + 2 * n });
            assert_eq!(last, "1 + 2n; n if k = 1");
        }
    }

    #[test]
    fn what_a_further_point_does_not_meet_is_not_claimed() {
        assert_eq!(fitted(FEW, |k, _| k * k), "not linear");
        assert_eq!(fitted(MANY, |k, _| k * k), "not linear");
        assert_eq!(fitted(MANY, |_, n| n * n), "not linear");
        let late = |k, n| if k == 3 { n * n } else { n };
        assert_eq!(fitted(FEW, late), "not linear");
        assert_eq!(fitted(MANY, |k, _| k.min(4)), "not linear");
    }

    #[test]
    fn a_slope_behind_the_last_slot_needs_a_point_that_verifies_it() {
        let apart = |k, n| if k == 1 { 0 } else { 1 + k + k * n };
        assert_eq!(fitted(FEW, apart), "not linear");
        assert_eq!(fitted(MANY, apart), "1 + k + kn; 0 if k = 1");
    }

    #[test]
    fn without_the_corners_nothing_is_claimed() {
        assert_eq!(
            Formula::fit(&[(Point { k: 1, n: 1 }, 1)]),
            Formula::NotLinear
        );
    }
}
