//! A command queue and how its commands are consumed: Arm IHI 0070, chapter 4, 7.1 "Command queue errors".

use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use crate::endpoints::{AtcInvalidation, Endpoints};
use crate::gerror::GlobalError;
use crate::ids::Iova;
use crate::layout::{Command, Response, SyncSignal};
use crate::legal::legal;
use crate::memory::read_words;
use crate::mutant::{Mutant, on};
use crate::queue::Ring;
use crate::smmu::Smmu;

/// SMMU_CMDQ_CONS.ERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CommandError {
    /// CERROR_ILL: the command cannot be consumed.
    Ill = 1,
    /// CERROR_ABT: the command could not be read.
    Abt = 2,
    /// CERROR_ATC_INV_SYNC: an ATC_INV before this SYNC was not answered in time.
    AtcInvSync = 3,
}

/// How a queue tells software of an error, and how software lets it go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorReport {
    /// GERROR.CMDQ_ERR, acknowledged by GERRORN: the main queue.
    Global,
    /// Bits of the queue's own PROD and CONS: an enhanced command queue (3.5.6 "Enhanced Command queue interfaces").
    Own {
        /// PROD.EN, and at once CONS.ENACK.
        enabled: bool,
        /// CONS.ERR.
        err: bool,
        /// PROD.ERRACK.
        errack: bool,
    },
}

/// SMMU_CMDQ_{BASE,PROD,CONS}, or those of an enhanced command queue.
///
/// There may be any number; each is consumed in order, and nothing is ordered between two of them except by software that waits for
/// a CMD_SYNC of one before it writes to the other.
#[derive(Debug)]
pub struct CommandQueue {
    ring: Ring,
    error: Option<CommandError>,
    report: ErrorReport,
    /// Position that readers must have reached before the SYNC at CONS completes.
    sync: Option<u64>,
    atc_timed_out: bool,
}

/// Where consumption stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every command was consumed.
    Empty,
    /// CR0.CMDQEN is 0, or PROD.EN of an enhanced queue.
    Disabled,
    /// The command at CONS has an error that software has not acknowledged.
    Error(CommandError),
    /// The CMD_SYNC at CONS waits for transactions that are in flight.
    Waiting,
}

impl CommandQueue {
    /// The main queue: 2^log2size commands at `base`. Its errors are GERROR.CMDQ_ERR.
    pub fn new(base: u64, log2size: u8) -> Self {
        CommandQueue {
            ring: Ring::new(base, log2size, Command::SIZE),
            error: None,
            report: ErrorReport::Global,
            sync: None,
            atc_timed_out: false,
        }
    }

    /// An enhanced command queue, which is enabled and reports errors in its own registers.
    pub fn enhanced(base: u64, log2size: u8) -> Self {
        CommandQueue {
            report: ErrorReport::Own {
                enabled: false,
                err: false,
                errack: false,
            },
            ..CommandQueue::new(base, log2size)
        }
    }

    /// Software has written commands up to `prod` (index and wrap bit; for an enhanced queue ERRACK is bit 23, and EN bit 31).
    pub fn set_prod(&mut self, prod: u32) {
        self.ring.set_prod(prod);
        if let ErrorReport::Own {
            enabled, errack, ..
        } = &mut self.report
        {
            *errack = prod >> 23 & 1 == 1;
            *enabled = prod >> 31 == 1;
        }
    }

    /// CONS: index and wrap bit, and the last error (for the main queue in bits 30:24, for an enhanced one ERR in bit 23, the reason in
    /// bits 26:24, and ENACK in bit 31).
    pub fn cons(&self) -> u32 {
        let reason = self.error.map_or(0, |error| error as u32) << 24;
        let own = match self.report {
            ErrorReport::Global => 0,
            ErrorReport::Own { enabled, err, .. } => {
                u32::from(err) << 23 | u32::from(enabled) << 31
            }
        };
        self.ring.cons | reason | own
    }

    fn is_enabled<M>(&self, smmu: &Smmu<M>) -> bool {
        match self.report {
            ErrorReport::Global => smmu.registers().cmdqen,
            ErrorReport::Own { enabled, .. } => enabled,
        }
    }

    /// Whether an error keeps this queue from being consumed.
    fn is_stuck<M>(&self, smmu: &Smmu<M>) -> bool {
        match self.report {
            ErrorReport::Global => smmu.gerror().is_active(GlobalError::CommandQueue),
            ErrorReport::Own { err, errack, .. } => err != errack,
        }
    }

    fn fail<M>(&mut self, smmu: &Smmu<M>, error: CommandError) -> Stopped {
        self.error = Some(error);
        match &mut self.report {
            ErrorReport::Global => smmu.activate(GlobalError::CommandQueue),
            ErrorReport::Own { err, errack, .. } => {
                *err = !*errack;
                smmu.activate(GlobalError::EnhancedCommandQueue);
            }
        }
        Stopped::Error(error)
    }

    /// Consumes commands until the queue is empty or something stops it. Never waits: see [`Stopped::Waiting`].
    pub(crate) fn consume<M: GuestMemoryBackend, E: Endpoints + ?Sized>(
        &mut self,
        smmu: &Smmu<M>,
        endpoints: &E,
    ) -> Stopped {
        if !self.is_enabled(smmu) {
            return Stopped::Disabled;
        }
        if self.is_stuck(smmu) && !on(Mutant::ErrorDoesNotStop) {
            // A queue that has an error of another kind active still knows its own last one.
            return Stopped::Error(self.error.unwrap_or(CommandError::Ill));
        }
        while !self.ring.is_empty() {
            let Ok(words) = read_words(smmu.memory(), self.ring.cons_address()) else {
                return self.fail(smmu, CommandError::Abt);
            };
            let command =
                Command::decode(words).and_then(|command| legal(command, smmu.features()));
            if command.is_err() && on(Mutant::IllegalIsSkipped) {
                self.ring.cons = self.ring.next(self.ring.cons);
                continue;
            }
            let Ok(command) = command else {
                return self.fail(smmu, CommandError::Ill);
            };
            if let Some(stopped) = self.perform(smmu, endpoints, command) {
                return stopped;
            }
            self.ring.cons = self.ring.next(self.ring.cons);
        }
        Stopped::Empty
    }

    /// Does what a legal command says; `Some` if it cannot be passed yet.
    fn perform<M: GuestMemoryBackend, E: Endpoints + ?Sized>(
        &mut self,
        smmu: &Smmu<M>,
        endpoints: &E,
        command: Command,
    ) -> Option<Stopped> {
        match command {
            Command::Sync(signal) => return self.sync(smmu, signal),
            Command::AtcInv {
                sid,
                ssid,
                global,
                address,
                size,
            } => {
                // 4.5.1: ignored while the SMMU is disabled.
                if smmu.registers().smmuen {
                    let span_bits = (size + 12) - u8::from(on(Mutant::AtcInvIsSmaller));
                    let invalidation = AtcInvalidation {
                        sid,
                        ssid,
                        global: global && ssid.is_some(),
                        address: Iova(if span_bits == 64 {
                            0
                        } else {
                            address.0 >> span_bits << span_bits
                        }),
                        span_bits,
                    };
                    self.atc_timed_out |= endpoints.atc_invalidate(&invalidation).is_err();
                    // Caches have nothing to forget; but CMD_SYNC waits for the translated transactions that are under way.
                    smmu.broadcast().publish(command.encode());
                }
            }
            Command::Resume {
                sid,
                stag,
                response,
            } => {
                let response = match response {
                    Response::RazWi if smmu.features().term_model => Response::Abort,
                    response => response,
                };
                smmu.stalls().resume(sid, stag, response);
            }
            Command::StallTerm { sid } => smmu.terminate_stalls(sid),
            // Hints, and answers to requests that nobody makes here.
            Command::PrefetchConfig { .. }
            | Command::PrefetchAddr { .. }
            | Command::PriResp { .. } => {}
            Command::CfgiSte { .. }
            | Command::CfgiSteRange { .. }
            | Command::CfgiCd { .. }
            | Command::CfgiCdAll { .. }
            | Command::TlbiNhAll { .. }
            | Command::TlbiNhAsid { .. }
            | Command::TlbiNhVa { .. }
            | Command::TlbiNhVaa { .. }
            | Command::TlbiS12Vmall { .. }
            | Command::TlbiS2Ipa { .. }
            | Command::TlbiNsnhAll => {
                smmu.broadcast().publish(command.encode());
            }
        }
        None
    }

    /// 4.7.3 CMD_SYNC: completes when everything before it has, and with it every transaction that used what was invalidated.
    fn sync<M: GuestMemoryBackend>(
        &mut self,
        smmu: &Smmu<M>,
        signal: SyncSignal,
    ) -> Option<Stopped> {
        if std::mem::take(&mut self.atc_timed_out) && !on(Mutant::AtcTimeoutForgotten) {
            self.atc_timed_out = on(Mutant::AtcTimeoutKept);
            return Some(self.fail(smmu, CommandError::AtcInvSync));
        }
        let position = *self.sync.get_or_insert_with(|| smmu.broadcast().position());
        if !smmu.broadcast().is_quiet(position) && !on(Mutant::SyncDoesNotWait) {
            return Some(Stopped::Waiting);
        }
        self.sync = None;
        smmu.retry_unrecorded();
        match signal {
            SyncSignal::None | SyncSignal::Sev => {}
            SyncSignal::Irq { address, data } => {
                // The wire is for whoever listens to it, with an MSI or without.
                smmu.signal_sync();
                let at = GuestAddress(smmu.features().cut_to_oas(address));
                if address != 0 && smmu.memory().write_obj(data.to_le(), at).is_err() {
                    smmu.activate(GlobalError::CommandQueueMsiAbort);
                }
            }
        }
        None
    }
}
