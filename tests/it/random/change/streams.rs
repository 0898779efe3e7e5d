//! STEs and L1STDs.

use super::super::config::Ste;
use super::super::need::Need;
use super::super::past::Stages;
use super::super::shape::VMS;
use super::super::world::World;
use super::{Done, everything};

impl World {
    pub(super) fn l1std(&mut self, device: u8, how: u8) -> Done {
        let device = usize::from(device) % self.devices.len();
        let Some(split) = self.shape.split() else {
            return Ok(());
        };
        let l1 = self.devices[device].sid >> split;
        let (mut config, mut atc) = (
            vec![Need::L1Std {
                sid: l1 << split,
                split,
            }],
            Vec::new(),
        );
        for device in self
            .devices
            .iter()
            .filter(|device| device.sid >> split == l1)
        {
            config.push(Need::Ste(device.sid));
            atc.push(everything(device.sid, None));
        }
        let record = self.pending.open(Stages {
            needs: vec![config, atc],
            stage2: 1,
            smmu: 1,
        });
        let (_, l1std) = self.l1stds.get_mut(&l1).expect("every device has an L1STD");
        let link = l1std.now.other(how);
        l1std.set(link, record);
        self.write_l1std(l1);
        Ok(())
    }

    /// The STE with other S1DSS or EATS.
    pub fn ste_with(&self, device: usize, s1dss: Option<u8>, eats: u8) -> Ste {
        let old = self.devices[device].ste.now;
        let s1dss = s1dss.map_or(old.s1dss, |s1dss| s1dss % 3);
        let eats = eats_of(&Ste { s1dss, ..old }, eats);
        Ste { s1dss, eats, ..old }
    }

    /// The STE that operands describe.
    pub fn ste_of(&self, device: usize, [config, s1dss, eats, vm]: [u8; 4], record: bool) -> Ste {
        let host = self.devices[device].vm == 0;
        let config = match host {
            true => [5, 5, 5, 5, 4, 6, 0, 5],
            false => [7, 7, 7, 7, 6, 7, 4, 0],
        }[usize::from(config % 8)];
        let own = self.devices[device].vm;
        let vm = if config == 6 || host {
            1 + usize::from(vm) % (VMS - 1)
        } else {
            own
        };
        let s1dss = s1dss % 3;
        let ste = Ste {
            valid: true,
            config,
            s1dss,
            eats: 0,
            vm,
            record,
        };
        Ste {
            eats: eats_of(&ste, eats),
            ..ste
        }
    }

    /// Whether a change of an STE is seen in one word only, and is safe while devices have translations: what split-stage ATS has told
    /// them is IPAs, with full ATS they would be physical addresses.
    pub fn in_one_word(&self, device: usize, ste: &Ste) -> bool {
        let device = &self.devices[device];
        let old = device.ste.now;
        let words = old.valid
            && ste.vm == old.vm
            && ste.record == old.record
            && ste.stage2() == old.stage2();
        let word0 = ste.config != old.config;
        let word1 = (ste.s1dss, ste.eats) != (old.s1dss, old.eats);
        let ats = ste.eats == old.eats || ste.eats == 0 || old.eats == 0;
        words && ats && !(word0 && word1)
    }

    /// Writes an STE, word 0 last.
    pub fn set_ste(&mut self, device: usize, ste: Ste) {
        let sid = self.devices[device].sid;
        if self.devices[device].ste.now == ste {
            return;
        }
        let needs = vec![vec![Need::Ste(sid)], vec![everything(sid, None)]];
        let record = self.pending.open(Stages {
            needs,
            stage2: 1,
            smmu: 1,
        });
        let old = self.devices[device].ste.now;
        self.devices[device].ste.set(ste, record);
        let words = self.ste_words(device);
        let at = self.ste_at(device);
        // What breaks an entry touches word 0 alone.
        let first = if old.valid && !ste.valid { 0 } else { 3 };
        for word in (0..=first).rev() {
            self.write(0, at + word as u64 * 8, words[word]);
        }
    }
}

/// EATS that an STE may have: split-stage ATS is for nested streams, of which stage 1 is not bypassed.
fn eats_of(ste: &Ste, pick: u8) -> u8 {
    match pick % 4 {
        0 => 0,
        3 if ste.config == 7 && ste.s1dss != 1 => 2,
        _ if ste.stage1() || ste.stage2() => 1,
        _ => 0,
    }
}
