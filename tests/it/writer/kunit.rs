//! The transitions of the driver's own unit test (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-test.c): how often each syncs, and whether it is
//! hitless. What its entries point to is real here: see device.rs.

use super::algorithm::{Rules, is_hitless, syncs, update};
use super::device::{CDS, OTHER_CDS, STAGE_2, table};
use super::entry::ste::{BYPASS, SSID0, abort, bypass, cdtable, nested, s2};
use super::entry::{CD, Entry, STE, cd};

/// A transition, and what the driver's test says of it.
pub struct Row {
    pub name: String,
    pub rules: Rules,
    pub old: Entry,
    pub new: Entry,
    syncs: usize,
    pub is_hitless: bool,
}

/// All of them, each way with a line of its own.
pub fn rows() -> Vec<Row> {
    let ssid0 = |ats| cdtable(CDS, SSID0, ats, false);
    let dss_bypass = cdtable(CDS, BYPASS, false, false);
    let other = cdtable(OTHER_CDS, BYPASS, true, false);
    let stalls = (cdtable(CDS, SSID0, false, true), s2(STAGE_2, false, true));
    let (stage_2, no_ats) = (s2(STAGE_2, true, false), s2(STAGE_2, false, false));
    let guests = nested(CDS, STAGE_2, true);
    let stes = [
        ("bypass", bypass(), "abort", abort(), [2, 2], true),
        ("cdtable", ssid0(true), "abort", abort(), [2, 2], true),
        ("cdtable", ssid0(true), "bypass", bypass(), [3, 3], true),
        (
            "S1DSS=SSID0",
            ssid0(false),
            "S1DSS=bypass",
            dss_bypass,
            [1, 1],
            true,
        ),
        ("S1DSS=bypass", dss_bypass, "bypass", bypass(), [2, 2], true),
        ("s2", stage_2, "abort", abort(), [2, 2], true),
        ("s2", stage_2, "bypass", bypass(), [2, 2], true),
        ("s1", ssid0(true), "s2", stage_2, [3, 3], true),
        (
            "s1 with stalls",
            stalls.0,
            "s2 with stalls",
            stalls.1,
            [3, 3],
            true,
        ),
        (
            "one table, S1DSS=SSID0",
            ssid0(true),
            "another, S1DSS=bypass",
            other,
            [3, 3],
            false,
        ),
    ];
    let space = table(0, 1);
    let cds = [
        (
            "invalid",
            cd::invalid(),
            "s1",
            cd::s1(space, 9),
            [2, 2],
            false,
        ),
        (
            "invalid",
            cd::invalid(),
            "sva",
            cd::sva(space, 9),
            [2, 2],
            false,
        ),
        (
            "asid 9",
            cd::s1(space, 9),
            "asid 10",
            cd::s1(space, 10),
            [1, 1],
            true,
        ),
        (
            "sva",
            cd::sva(space, 9),
            "release",
            cd::release(9),
            [2, 2],
            true,
        ),
    ];
    let one_way = [
        ("nested", guests, "s2 without ATS", no_ats, 3),
        ("s2", stage_2, "nested", guests, 2),
    ];
    let mut rows = Vec::new();
    for (rules, what, pairs) in [(STE, "STE", &stes[..]), (CD, "CD", &cds[..])] {
        for &(from, old, to, new, [there, back], is_hitless) in pairs {
            let row = |(from, old), (to, new), syncs| Row {
                name: format!("{what} {from} -> {to}"),
                rules,
                old,
                new,
                syncs,
                is_hitless,
            };
            rows.push(row((from, old), (to, new), there));
            rows.push(row((to, new), (from, old), back));
        }
    }
    rows.extend(one_way.map(|(from, old, to, new, syncs)| Row {
        name: format!("STE {from} -> {to}"),
        rules: STE,
        old,
        new,
        syncs,
        is_hitless: true,
    }));
    rows
}

#[test]
fn every_transition_syncs_as_often_as_the_drivers_and_is_as_hitless() {
    let mut wrong = Vec::new();
    for row in rows() {
        let actions = update(row.rules, &row.old, &row.new);
        let found = (syncs(&actions), is_hitless(row.rules, &row.old, &actions));
        println!("{}: {} syncs, hitless {}", row.name, found.0, found.1);
        if found != (row.syncs, row.is_hitless) {
            let claimed = (row.syncs, row.is_hitless);
            wrong.push(format!("{}: {found:?} instead of {claimed:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
