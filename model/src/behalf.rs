//! What is done on a guest's behalf: its requests in the host's terms, and what the kernel makes of its commands.

use vocab::{Command, Device, PropertyId, Vmid};

use crate::command::GUEST_VMID;
use crate::machine::Machine;
use crate::program::{Kind, VIOMMU};
use crate::state::{State, Thread};
use crate::step::{Seen, Stop};

impl Machine {
    /// Issues a command; on a guest's thread it is on that guest's behalf, and P-CONF asks whether it hits what is not the guest's.
    pub(crate) fn issue_for(
        &self,
        state: &mut State,
        thread: usize,
        queue: u8,
        command: Command,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        seen.hit(self, state, command);
        let tags = self.tags(command);
        if let Some(vm) = self.vm_of_thread(thread) {
            if self.bounds.vms > 1 && !tags.is_empty() {
                seen.witnesses |= PropertyId::Conf.bit();
            }
            let foreign = self.foreign_tags(state, vm);
            if tags.minus(foreign) != tags {
                state.ghost.offence |= PropertyId::Conf.bit();
            }
        }
        self.note_issued(state, thread, command);
        Ok(self.issue(state, queue, command)?)
    }

    /// Issues a command that a guest has made; `choice` is whether the hardware finds it illegal.
    pub(crate) fn issue_guests(
        &self,
        state: &mut State,
        thread: usize,
        queue: u8,
        command: Command,
        choice: u8,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        if choice == 0 {
            return self.issue_for(state, thread, queue, command, seen);
        }
        seen.cost.commands += 1;
        self.note_illegal(state, thread, command);
        Ok(())
    }

    /// Notes what a guest asked for, in the host's terms.
    pub(crate) fn ask(&self, state: &mut State, thread: usize, command: Command) {
        let own = self.own_vmid(state, &state.threads[thread]);
        let tags = self.tags(with_vmid(command, own));
        let this = &mut state.threads[thread];
        this.asked = this.asked.union(tags);
    }

    /// What the kernel makes of a guest's command (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c:
    /// arm_vsmmu_convert_user_cmd): its VMID is replaced, its virtual StreamID is looked up. None: refused.
    pub(crate) fn fixup(
        &self,
        state: &State,
        thread: &Thread,
        command: Command,
    ) -> Option<Command> {
        if !self.code.accepts.contains(&command.opcode()) {
            return None;
        }
        let device = self.device_named(command);
        let own = self.own_vmid(state, thread);
        match device {
            Some(device) => self.is_vdevice(state, thread, device).then_some(command),
            None => Some(with_vmid(command, own)),
        }
    }

    /// The device whose StreamID a command carries.
    pub(crate) fn device_named(&self, command: Command) -> Option<Device> {
        match command {
            Command::CfgiSte(device)
            | Command::CfgiCdAll(device)
            | Command::AtcInvPage(device, _)
            | Command::AtcInvAll(device) => Some(device),
            Command::CfgiCd(slot) | Command::AtcInv(slot, _) | Command::AtcInvSsid(slot) => {
                Some(self.device_of(slot))
            }
            _ => None,
        }
    }

    /// Whether a device is known under the vIOMMU of a thread (struct iommu_vdevice_alloc in iommufd.h).
    pub(crate) fn is_vdevice(&self, state: &State, thread: &Thread, device: Device) -> bool {
        let Some(viommu) = thread.regs[VIOMMU.0 as usize].checked_sub(1) else {
            return false;
        };
        let table = self
            .code
            .tables
            .iter()
            .position(|table| table.key == Kind::Viommu && table.value == Kind::Device)
            .expect("the reader refuses `fixup` without a table from viommu to device");
        state.memory.tables[table][viommu as usize] >> device.0 & 1 == 1
    }

    /// The VMID of the vIOMMU on whose behalf a thread runs.
    pub(crate) fn own_vmid(&self, state: &State, thread: &Thread) -> Vmid {
        let viommu = thread.regs[VIOMMU.0 as usize].checked_sub(1);
        viommu
            .and_then(|viommu| state.memory.vmid[viommu as usize].checked_sub(1))
            .map_or(GUEST_VMID, Vmid)
    }
}

/// A guest's command with the VMID that it means; a broader scope than the VM is narrowed to it.
fn with_vmid(command: Command, vmid: Vmid) -> Command {
    match command {
        Command::TlbiNhAll(_) | Command::TlbiNsnhAll => Command::TlbiNhAll(vmid),
        Command::TlbiNhAsid(_, asid) => Command::TlbiNhAsid(vmid, asid),
        Command::TlbiNhVa(_, asid, page) => Command::TlbiNhVa(vmid, asid, page),
        Command::TlbiNhVaa(_, page) => Command::TlbiNhVaa(vmid, page),
        Command::TlbiS2Ipa(_, ipa) => Command::TlbiS2Ipa(vmid, ipa),
        Command::TlbiS12Vmall(_) => Command::TlbiS12Vmall(vmid),
        other => other,
    }
}
