//! Ways of accessing memory: a TBU with some policy of caching, and the devices' ATCs behind it.

use engine::cache::{Caches, Counts, Exact, Fast, NoCaches, Preset, Replacement};
use engine::{
    Access, Atc, AtcInvalidation, AtcMiss, Iova, Refusal, Smmu, StreamId, SubstreamId, Tbu,
    Transaction, Translation,
};

use super::answer::Asked;
use super::shape::STREAMS;
use super::world::Memory;

/// More pages than a device accesses between two invalidations, most of the time.
const ATC_CAPACITY: usize = 64;

pub trait Unit {
    fn name(&self) -> &'static str;
    fn access(&mut self, asked: Asked) -> Result<Translation, Refusal>;
    fn through_atc(&mut self, asked: Asked) -> Result<Translation, AtcMiss>;
    fn invalidate(&self, invalidation: &AtcInvalidation);
    /// Hits and misses of translations, stage 2, STEs and CDs, where the caches count them; then of the ATCs.
    fn counts(&self) -> [(u64, u64); 5];
}

struct Through<'s, C> {
    name: &'static str,
    tbu: Tbu<'s, Memory, C>,
    atcs: Vec<Atc>,
    counts: fn(&C) -> [(u64, u64); 4],
}

/// One of each kind of caches, in sizes that are soon full and in sizes that are not.
pub fn all(smmu: &Smmu<Memory>) -> Vec<Box<dyn Unit + '_>> {
    let tiny = Preset::custom(8, 2, Replacement::Lru);
    vec![
        unit("no caches", smmu, NoCaches, |_| [(0, 0); 4]),
        unit("fast", smmu, Fast::default(), |_| [(0, 0); 4]),
        unit("fast, tiny", smmu, Fast::new(2, 2, 2), |_| [(0, 0); 4]),
        unit("exact, gem5", smmu, Exact::new(Preset::GEM5), exact),
        unit(
            "exact, QEMU 10.0",
            smmu,
            Exact::new(Preset::QEMU_10_0),
            exact,
        ),
        unit("exact, tiny", smmu, Exact::new(tiny), exact),
    ]
}

fn exact(caches: &Exact) -> [(u64, u64); 4] {
    let pair = |counts: Counts| (counts.hits, counts.misses);
    [caches.translations, caches.stage2s, caches.stes, caches.cds].map(pair)
}

fn unit<'s, C: Caches + 's>(
    name: &'static str,
    smmu: &'s Smmu<Memory>,
    caches: C,
    counts: fn(&C) -> [(u64, u64); 4],
) -> Box<dyn Unit + 's> {
    let tbu = smmu
        .tbu_with(caches)
        .expect("an SMMU has seats for all units");
    let atcs = STREAMS
        .iter()
        .map(|&sid| Atc::new(StreamId(sid), ATC_CAPACITY))
        .collect();
    Box::new(Through {
        name,
        tbu,
        atcs,
        counts,
    })
}

fn access(asked: Asked) -> Access {
    Access {
        write: asked.write,
        instruction: asked.execute,
        privileged: asked.privileged,
    }
}

impl<C: Caches> Unit for Through<'_, C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn access(&mut self, asked: Asked) -> Result<Translation, Refusal> {
        let ssid = asked.ssid.map(SubstreamId);
        let transaction = Transaction::new(
            StreamId(asked.sid),
            ssid,
            Iova(asked.address),
            access(asked),
        );
        self.tbu.burst().translate(&transaction)
    }

    fn through_atc(&mut self, asked: Asked) -> Result<Translation, AtcMiss> {
        let atc = self
            .atcs
            .iter()
            .find(|atc| atc.sid().0 == asked.sid)
            .expect("who asks is one of the devices");
        let ssid = asked.ssid.map(SubstreamId);
        atc.translate(
            &mut self.tbu.burst(),
            ssid,
            Iova(asked.address),
            access(asked),
        )
    }

    fn invalidate(&self, invalidation: &AtcInvalidation) {
        if let Some(atc) = self.atcs.iter().find(|atc| atc.sid() == invalidation.sid) {
            atc.invalidate(invalidation);
        }
    }

    fn counts(&self) -> [(u64, u64); 5] {
        let [a, b, c, d] = (self.counts)(self.tbu.caches());
        let atcs = self.atcs.iter().map(Atc::counts);
        let atcs = atcs.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        [a, b, c, d, atcs]
    }
}
