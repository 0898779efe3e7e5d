//! An example of every form of step, every command and every operation, for docs/spec-format.md.
//!
//! Each names the program that it is written in; a test reads all of them, put into the frame of tests/spec-format.

/// An example.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The form in the vocabulary of which it is an example.
    pub form: &'static str,
    /// The program in which it makes sense.
    pub program: &'static str,
    /// Its lines.
    pub steps: &'static str,
}

const fn example(form: &'static str, program: &'static str, steps: &'static str) -> Example {
    Example {
        form,
        program,
        steps,
    }
}

/// All of them, in no order that matters.
#[rustfmt::skip]
pub const EXAMPLES: &[Example] = &[
    example("pte(space, page) := ipa | global(ipa) | none", "guest.map", "pte(space, page) := none\npte(space, page) := ipa\npte(space, page) := global(ipa)"),
    example("cd(slot).word0 := valid(asid) | epd(asid) | invalid", "guest.bind", "let asid = asid(space)\ncd(slot).word0 := invalid\ncd(slot).word0 := epd(asid)\ncd(slot).word0 := valid(asid)"),
    example("cd(slot).word1 := ttb(space) | none", "guest.bind", "cd(slot).word1 := none\ncd(slot).word1 := ttb(space)"),
    example("ste(device).word0 := nested(viommu) | s2_trans | abort", "host.attach", "ste(device).word0 := abort\nste(device).word0 := s2_trans\nste(device).word0 := nested(viommu)"),
    example("ste(device).word1 := eats(1) | eats(0) | eats(1), s1dss(bypass) | eats(0), s1dss(bypass)", "host.attach", "ste(device).word1 := eats(0)\nste(device).word1 := eats(0), s1dss(bypass)\nste(device).word1 := eats(1)\nste(device).word1 := eats(1), s1dss(bypass)"),
    example("ste(device).word2 := vmid(viommu) | none", "host.attach", "ste(device).word2 := none\nste(device).word2 := vmid(viommu)"),
    example("s2(vm, ipa) := frame | none", "host.lend", "s2(vm, ipa) := none\ns2(vm, ipa) := frame"),
    example("insert TABLE(key, value)", "guest.bind", "insert slots(space, slot)"),
    example("remove TABLE(key, value)", "guest.unbind", "remove slots(space, slot)"),
    example("alloc asid(space)", "guest.bind", "alloc asid(space)"),
    example("alloc vmid(viommu)", "host.attach", "alloc vmid(viommu)"),
    example("free asid(space)", "guest.exit", "free asid(space)"),
    example("free vmid(viommu)", "host.destroy", "free vmid(viommu)"),
    example("let x = device(command)", "kernel.issue", "let device = device(command)"),
    example("let x = asid(space)", "guest.bind", "let asid = asid(space)"),
    example("let x = cd(slot).asid", "kernel.do", "let asid = cd(slot).asid"),
    example("let x = one of TABLE(key)", "guest.exit", "let slot = one of slots(space)"),
    example("let x = TABLE(key) is empty", "guest.unbind", "let last = slots(space) is empty"),
    example("let x = value in TABLE(key)", "kernel.do", "let known = device(slot) in attached(viommu)"),
    example("if x:", "guest.unbind", "let last = slots(space) is empty\nif last:\n  free asid(space)"),
    example("if not x:", "guest.bind", "let asid = asid(space)\nif not asid:\n  refuse"),
    example("if chunk is full:", "kernel.issue", "if chunk is full:\n  hwq chunk\n  hwq SYNC"),
    example("if ats: | if not ats:", "kernel.do", "if ats:\n  hwq ATC_INV(slot)\nif not ats:\n  return"),
    example("else:", "guest.bind", "let asid = asid(space)\nif asid:\n  cmdq TLBI_NH_ASID(asid)\nelse:\n  alloc asid(space)"),
    example("for x in TABLE(key):", "guest.exit", "for slot in slots(space):\n  cmdq CFGI_CD(slot)"),
    example("for x in pages: | viommus(vm): | slots_of(device):", "host.reclaim", "for viommu in viommus(vm):\n  for device in attached(viommu):\n    for slot in slots_of(device):\n      for page in pages:\n        hwq ATC_INV(slot, page)"),
    example("for command in queue:", "vmm.doorbell", "for command in queue:\n  ioctl issue(command)"),
    example("lock name", "guest.bind", "lock group\nunlock group"),
    example("unlock name", "guest.bind", "lock group\nunlock group"),
    example("wait until TABLE(key) is empty", "guest.exit", "wait until slots(space) is empty"),
    example("cmdq COMMAND", "guest.bind", "cmdq CFGI_CD(slot)"),
    example("cmdq SYNC", "guest.bind", "cmdq CFGI_CD(slot)\ncmdq SYNC"),
    example("hwq COMMAND", "kernel.do", "hwq CFGI_CD(slot)"),
    example("hwq SYNC", "kernel.do", "hwq CFGI_CD(slot)\nhwq SYNC"),
    example("hwq command", "kernel.issue", "hwq command"),
    example("hwq fixup(command)", "kernel.issue", "hwq fixup(command)"),
    example("hwq chunk", "kernel.issue", "hwq chunk\nhwq SYNC"),
    example("chunk fixup(command)", "kernel.issue", "chunk fixup(command)"),
    example("on error:", "kernel.issue", "hwq fixup(command)\non error:\n  refuse"),
    example("report", "kernel.issue", "report"),
    example("vcmdq COMMAND | SYNC", "guest.unbind", "let asid = asid(space)\nvcmdq TLBI_NH_ASID(vmid(viommu), asid)\nvcmdq SYNC"),
    example("exit PROGRAM(arguments)", "guest.bind", "exit ask(slot)"),
    example("ioctl PROGRAM(arguments)", "vmm.ask", "ioctl do(slot)"),
    example("hypercall PROGRAM(arguments)", "guest.bind", "hypercall do(slot)"),
    example("call PROGRAM(arguments)", "guest.unbind", "call forget(slot, space)"),
    example("on refusal:", "guest.bind", "hypercall do(slot)\non refusal:\n  return"),
    example("require value in TABLE(key)", "kernel.do", "require device(slot) in attached(viommu)"),
    example("refuse", "kernel.do", "refuse"),
    example("may fail", "kernel.do", "may fail"),
    example("return", "kernel.do", "return"),

    example("CFGI_STE(device)", "host.attach", "hwq CFGI_STE(device)"),
    example("CFGI_CD(slot)", "guest.bind", "cmdq CFGI_CD(slot)"),
    example("CFGI_CD_ALL(device)", "host.attach", "hwq CFGI_CD_ALL(device)"),
    example("TLBI_NH_ALL(vmid(viommu))", "host.destroy", "hwq TLBI_NH_ALL(vmid(viommu))"),
    example("TLBI_NH_ASID(vmid(viommu), asid)", "kernel.flush", "hwq TLBI_NH_ASID(vmid(viommu), asid)"),
    example("TLBI_NH_VA(vmid(viommu), asid, page)", "kernel.flush", "hwq TLBI_NH_VA(vmid(viommu), asid, page)"),
    example("TLBI_NH_VAA(vmid(viommu), page)", "guest.map", "cmdq TLBI_NH_VAA(page)"),
    example("TLBI_S2_IPA(vmid(viommu), ipa)", "host.reclaim", "for viommu in viommus(vm):\n  hwq TLBI_S2_IPA(vmid(viommu), ipa)"),
    example("TLBI_S12_VMALL(vmid(viommu))", "host.destroy", "hwq TLBI_S12_VMALL(vmid(viommu))"),
    example("TLBI_NSNH_ALL", "host.destroy", "hwq TLBI_NSNH_ALL"),
    example("ATC_INV(slot, page), ATC_INV(slot), ATC_INV(device, page) or ATC_INV(device)", "kernel.flush", "for device in attached(viommu):\n  hwq ATC_INV(device)\n  hwq ATC_INV(device, page)"),

    example("map(space, page, ipa)", "guest.map", "pte(space, page) := ipa"),
    example("unmap(space, page)", "guest.unmap", "pte(space, page) := none\nlet asid = asid(space)\nhypercall flush(asid, page)"),
    example("bind(slot, space)", "guest.bind", "cd(slot).word1 := ttb(space)"),
    example("unbind(slot, space)", "guest.unbind", "cd(slot).word0 := invalid"),
    example("replace(slot, space, old)", "guest.replace", "insert slots(space, slot)\nremove slots(old, slot)\nexit ask(slot)\nhypercall do(slot)\ncmdq SYNC\ncall forget(slot, space)"),
    example("exit(space)", "guest.exit", "free asid(space)"),
    example("reclaim(vm, ipa)", "host.reclaim", "s2(vm, ipa) := none"),
    example("lend(vm, ipa)", "host.lend", "s2(vm, ipa) := frame"),
    example("attach(device, viommu)", "host.attach", "insert attached(viommu, device)"),
    example("detach(device, viommu)", "host.detach", "remove attached(viommu, device)"),
    example("destroy(viommu)", "host.destroy", "wait until attached(viommu) is empty"),
    example("translate(device, viommu)", "host.translate", "ste(device).word1 := eats(1), s1dss(bypass)\nste(device).word0 := nested(viommu)"),
    example("bypass(device, viommu)", "host.bypass", "ste(device).word0 := s2_trans\nste(device).word1 := eats(0)"),
];
