//! What is checked of an array before a command is looked at.

use engine::hypervisor::{Contract, DATA_ARM_SMMUV3, Errno, Invalidated, LARGEST, UserArray};

use super::*;

const COMMANDS: [[u64; 2]; 2] = [[0x11 | 7 << 48, 0], [0x12 | 7 << 48, 0x1234_5001]];

/// The commands in entries of this length, the rest of each `beyond`.
fn bytes(entry_len: usize, beyond: u8) -> Vec<u8> {
    let entry = |command: &[u64; 2]| {
        let mut bytes: Vec<u8> = command.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(entry_len, beyond);
        bytes
    };
    COMMANDS.iter().flat_map(entry).collect()
}

fn array(data: &[u8], entry_len: u32) -> UserArray<'_> {
    UserArray {
        data: Some(data),
        data_type: DATA_ARM_SMMUV3,
        entry_len,
        entry_num: 2,
    }
}

/// What is answered, and what reached the host, by either contract.
fn invalidate(array: &UserArray<'_>) -> [(Invalidated, Vec<Vec<[u64; 2]>>); 2] {
    [Contract::Linux, Contract::Exact].map(|contract| {
        let mut host = Recorder::default();
        let viommu = scene().viommu;
        let answer = viommu.hwpt_invalidate(&mut host, contract, array);
        (answer, host.batches)
    })
}

fn is_refused(array: &UserArray<'_>, errno: Errno) {
    for (answer, issued) in invalidate(array) {
        assert_eq!((answer.result, answer.entry_num), (Err(errno), 0));
        assert!(issued.is_empty());
    }
}

#[test]
fn entries_are_read_at_their_own_length() {
    let vmid = u64::from(VMID) << 32;
    let [all, page] = COMMANDS.map(|[word0, word1]| [word0 | vmid, word1]);
    for (entry_len, expected) in [
        (16, [all, page]),
        // Longer entries that say nothing more, and shorter ones, whose rest is zero.
        (24, [all, page]),
        (8, [all, [page[0], 0]]),
        (10, [all, [page[0], 0x5001]]),
    ] {
        for (answer, issued) in invalidate(&array(&bytes(entry_len, 0), entry_len as u32)) {
            assert_eq!(
                (answer.result, answer.entry_num),
                (Ok(()), 2),
                "{entry_len}"
            );
            assert_eq!(issued, [expected], "{entry_len}");
        }
    }
}

#[test]
fn arrays_that_cannot_be_read_are_refused_as_a_whole() {
    let good = bytes(16, 0);
    is_refused(&array(&bytes(17, 1), 17), Errno::TooBig);
    is_refused(&array(&good[..31], 16), Errno::Fault);
    is_refused(&array(&good, 0), Errno::Invalid);
    let whole = array(&good, 16);
    for refused in [
        UserArray {
            data: None,
            ..whole
        },
        UserArray {
            data_type: 0,
            ..whole
        },
    ] {
        is_refused(&refused, Errno::Invalid);
    }
    // The count is not believed before memory is.
    let [linux, exact] = invalidate(&UserArray {
        entry_num: u32::MAX,
        ..whole
    });
    let errno = Err(Errno::NoMemory);
    assert_eq!(
        (linux.0.result, linux.0.entry_num),
        (errno, u32::MAX as usize)
    );
    assert_eq!((exact.0.result, exact.0.entry_num), (errno, 0));
    let largest = UserArray {
        entry_num: LARGEST as u32,
        ..whole
    };
    is_refused(&largest, Errno::Fault);
}

#[test]
fn an_empty_array_asks_whether_the_type_is_known() {
    let empty = UserArray {
        data: None,
        data_type: DATA_ARM_SMMUV3,
        entry_len: 0,
        entry_num: 0,
    };
    let [linux, exact] = invalidate(&empty).map(|(answer, _)| (answer.result, answer.entry_num));
    assert_eq!(linux, (Err(Errno::Invalid), 0));
    assert_eq!(exact, (Ok(()), 0));
    let unknown = UserArray {
        data_type: 9,
        ..empty
    };
    is_refused(&unknown, Errno::Invalid);
}
