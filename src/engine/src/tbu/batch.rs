//! Several transactions at once.

use std::hint::black_box;

use vm_memory::GuestMemoryBackend;

use super::{Burst, Tbu};
use crate::access::{Refusal, Transaction, Translation};
use crate::cache::{Caches, Missed};
use crate::mutant::{Mutant, on};
use crate::translate::Translator;

/// Transactions that are looked up before the first of them is walked.
const BATCH: usize = 16;

impl<M: GuestMemoryBackend, C: Caches> Burst<'_, '_, M, C> {
    /// Translates several transactions, as if one after the other with no command between them: the same answers, and the same events in
    /// the same order. Answers are appended to `answers`.
    ///
    /// All of a batch are looked up first. Where tables are many, the descriptors that the walks of those that missed will end with are
    /// then read one after the other, so that memory fetches them at the same time.
    pub fn translate_all(
        &mut self,
        transactions: &[Transaction],
        answers: &mut Vec<Result<Translation, Refusal>>,
    ) {
        self.refresh();
        answers.reserve(transactions.len());
        for batch in transactions.chunks(BATCH) {
            let first = answers.len();
            let mut misses = [(0, Missed::Unknown); BATCH];
            let mut count = 0;
            for (index, transaction) in batch.iter().enumerate() {
                let answer = self.tbu.caches.route(transaction).map_err(|missed| {
                    misses[count] = (index, missed);
                    count += 1;
                    Refusal::SILENT
                });
                answers.push(answer);
            }
            let misses = &misses[..count];
            if count > 1 && self.tbu.caches.spread_out() {
                self.look_ahead(batch, misses);
            }
            let dropped = usize::from(count > 1 && on(Mutant::BatchForgetsMisses));
            for &(index, missed) in &misses[..count - dropped] {
                answers[first + index] = self.translate_missed(&batch[index], missed);
            }
        }
    }

    /// Has memory fetch what the walks will read.
    fn look_ahead(&mut self, batch: &[Transaction], misses: &[(usize, Missed)]) {
        let Tbu {
            smmu,
            registers,
            caches,
            ..
        } = &mut *self.tbu;
        let mut translator = Translator {
            memory: &mut self.memory,
            features: smmu.features(),
            registers,
            caches,
        };
        let mut descriptors = [None; BATCH];
        for (descriptor, &(index, missed)) in descriptors.iter_mut().zip(misses) {
            if let Missed::Absent(place) = missed {
                *descriptor = translator.ahead1(&batch[index], place);
            }
        }
        for (descriptor, &(index, missed)) in descriptors.iter().zip(misses) {
            if let (&Some(descriptor), Missed::Absent(place)) = (descriptor, missed) {
                black_box(translator.ahead2(&batch[index], place, descriptor));
            }
        }
    }
}
