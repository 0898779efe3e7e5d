//! A driver writes and invalidates a CD before the STE that leads to it: it must not be told of an error.

use std::path::Path;

use engine::hypervisor::{Contract, Errno, Forwarding};
use model::OpKind;
use nestcheck::cost::Point;
use nestcheck::cost::alone::Operation;
use nestcheck::cost::situation;
use nestcheck::lockstep::board;
use vocab::{Command, Device, Slot};

use super::super::act::Act;
use super::super::hypervisor::{Devices, Faults, Kind};
use super::super::operations::Pair;
use super::super::table::{Twin, twin};
use crate::runs;

const fn operation(kind: OpKind, args: [u8; 3]) -> Operation {
    Operation { kind, args }
}

const DETACH: Operation = operation(OpKind::Detach, [0; 3]);
const BIND: Operation = operation(OpKind::Bind, [0; 3]);
const ATTACH: Operation = operation(OpKind::Attach, [0; 3]);
const MAP: Operation = operation(OpKind::Map, [0; 3]);

const TWIN: Twin = twin(
    "specs/corpus/fixed/early-cfgi-dropped.toml",
    Kind::Native(Forwarding::EachCommand, Contract::Linux),
);

#[test]
fn an_early_cfgi_is_dropped() {
    let spec = runs::read(Path::new(TWIN.spec));
    let machine = situation::machine(&spec, Point { k: 1, n: 1 }).expect("there is room");
    let smmus = [board::smmu(), board::smmu()];
    let devices = Devices::new(&smmus[1]);
    let mut pair = Pair::new(&machine, &TWIN, &smmus, &devices);
    pair.both(DETACH).unwrap();
    let bound = pair.both(BIND).unwrap();
    assert!(bound.succeeded);
    let is_store = |act: &Act| matches!(act, Act::Store { .. });
    assert!(bound.acts.iter().all(is_store), "nobody is told");
    for operation in [ATTACH, MAP] {
        pair.both(operation).unwrap();
    }
    let (_, _, answers) = &pair.hypervisor.accesses()[0];
    assert!(answers[0].is_some(), "the context is in use");
}

/// The bug hands it to the kernel, which knows no such device.
#[test]
fn the_bug_tells_of_an_error() {
    let spec = runs::read(Path::new("specs/corpus/b40-early-cfgi-refused.toml"));
    let machine = situation::machine(&spec, Point { k: 1, n: 1 }).expect("there is room");
    let smmus = [board::smmu(), board::smmu()];
    let devices = Devices::new(&smmus[1]);
    let mut pair = Pair::new(&machine, &TWIN, &smmus, &devices);
    pair.both(DETACH).unwrap();
    let told = pair.programs.perform_with(BIND, &[]).unwrap();
    assert_eq!((told.done.succeeded, told.is_lie), (false, true));

    let hypervisor = &mut pair.hypervisor;
    hypervisor.destroy_vdevice(Device(0));
    let early = [hypervisor.guests(Command::CfgiCd(Slot(0)))];
    let (refused, acts) = hypervisor.ioctl(Contract::Linux, &early, Faults::default());
    assert_eq!((refused.result, refused.entry_num), (Err(Errno::Io), 0));
    assert!(acts.is_empty());
}
