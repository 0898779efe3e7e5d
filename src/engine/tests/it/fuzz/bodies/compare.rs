//! Whether caches answer as if there were none.

use engine::cache::{Caches, Exact, Fast, NoCaches, Preset};
use engine::{Burst, Outcome, Refusal, Smmu, Stag, Tbu, Transaction, Translation};

use super::watched::Watched;

/// One device's way through the SMMU, by each policy.
pub struct Ways<'s> {
    none: Tbu<'s, Watched, NoCaches>,
    fast: Tbu<'s, Watched, Fast>,
    exact: Tbu<'s, Watched, Exact>,
}

impl<'s> Ways<'s> {
    pub fn new(smmu: &'s Smmu<Watched>) -> Self {
        Ways {
            none: smmu.tbu_with(NoCaches).expect("a seat"),
            fast: smmu.tbu_with(Fast::new(6, 4, 4)).expect("a seat"),
            exact: smmu.tbu_with(Exact::new(Preset::GEM5)).expect("a seat"),
        }
    }

    /// Asks each policy twice, so that the second answer is a hit where there can be one.
    ///
    /// # Panics
    /// If one answers otherwise than the one without caches.
    pub fn agree(&mut self, transaction: &Transaction) -> Result<Translation, Refusal> {
        let answer = translate(&mut self.none.burst(), transaction);
        for _ in 0..2 {
            let fast = translate(&mut self.fast.burst(), transaction);
            assert_eq!(fast, answer, "Fast, {transaction:x?}");
            let exact = translate(&mut self.exact.burst(), transaction);
            assert_eq!(exact, answer, "Exact, {transaction:x?}");
        }
        answer
    }

    /// The same for an ATS request.
    pub fn agree_on_ats(&mut self, transaction: &Transaction) -> engine::AtsReply {
        let answer = self.none.burst().ats_request(transaction);
        for _ in 0..2 {
            let fast = self.fast.burst().ats_request(transaction);
            assert_eq!(fast, answer, "Fast, {transaction:x?}");
            let exact = self.exact.burst().ats_request(transaction);
            assert_eq!(exact, answer, "Exact, {transaction:x?}");
        }
        answer
    }
}

/// What the device sees and software is told, but for the tag of a stalled transaction, which is another each time.
fn translate<C: Caches>(
    burst: &mut Burst<'_, '_, Watched, C>,
    transaction: &Transaction,
) -> Result<Translation, Refusal> {
    burst.translate(transaction).map_err(|mut refusal| {
        if let Outcome::Stalled(stag) = &mut refusal.outcome {
            *stag = Stag(0);
        }
        if let Some(event) = &mut refusal.event {
            event.word1 = event.word1.with_stag(0);
        }
        refusal
    })
}
