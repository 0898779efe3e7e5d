//! The forms of steps: the one table that the parser's messages and `nestcheck list` read.

/// How a step is written and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The word that the step begins with.
    pub head: &'static str,
    /// How it is written, alternatives separated by ` | `.
    pub form: &'static str,
    /// What it does, in one line.
    pub meaning: &'static str,
}

const fn form(head: &'static str, form: &'static str, meaning: &'static str) -> Form {
    Form {
        head,
        form,
        meaning,
    }
}

/// Every form of step. A head may occur several times.
pub const FORMS: &[Form] = &[
    form(
        "pte",
        "pte(space, page) := ipa | global(ipa) | none",
        "writes a stage-1 leaf entry; a global one (nG=0) is for every ASID",
    ),
    form(
        "cd",
        "cd(slot).word0 := valid(asid) | epd(asid) | invalid",
        "one 64-bit store: V, EPD0, ASID",
    ),
    form(
        "cd",
        "cd(slot).word1 := ttb(space) | none",
        "one 64-bit store: TTB0",
    ),
    form(
        "ste",
        "ste(device).word0 := nested(viommu) | s2_trans | abort",
        "one 64-bit store: V, Config, S1ContextPtr",
    ),
    form(
        "ste",
        "ste(device).word1 := eats(1) | eats(0) | eats(1), s1dss(bypass) | eats(0), s1dss(bypass)",
        "one 64-bit store: EATS, S1DSS",
    ),
    form(
        "ste",
        "ste(device).word2 := vmid(viommu) | none",
        "S2VMID, and with it S2TTB",
    ),
    form(
        "s2",
        "s2(vm, ipa) := frame | none",
        "writes a stage-2 leaf entry",
    ),
    form(
        "insert",
        "insert TABLE(key, value)",
        "puts a value into a row of a table",
    ),
    form(
        "remove",
        "remove TABLE(key, value)",
        "takes a value out of a row of a table",
    ),
    form(
        "alloc",
        "alloc asid(space)",
        "takes any free ASID; does nothing if the space has one or none is free",
    ),
    form(
        "alloc",
        "alloc vmid(viommu)",
        "takes any free VMID; does nothing if the vIOMMU has one or none is free",
    ),
    form("free", "free asid(space)", "gives the ASID of a space back"),
    form(
        "free",
        "free vmid(viommu)",
        "gives the VMID of a vIOMMU back",
    ),
    form(
        "let",
        "let x = device(command)",
        "the device that the taken command names, or none; local",
    ),
    form("let", "let x = asid(space)", "the ASID of a space, or none"),
    form(
        "let",
        "let x = cd(slot).asid",
        "the ASID in the CD in memory if V=1, or none",
    ),
    form(
        "let",
        "let x = one of TABLE(key)",
        "the smallest value in a row, or none",
    ),
    form(
        "let",
        "let x = TABLE(key) is empty",
        "whether a row has no value",
    ),
    form(
        "let",
        "let x = value in TABLE(key)",
        "whether a value is in a row",
    ),
    form(
        "if",
        "if chunk is full:",
        "whether `hwq chunk` must come before another command can be converted",
    ),
    form("if", "if x:", "the block runs if x is something, or true"),
    form("if", "if not x:", "the block runs if x is none, or false"),
    form(
        "if",
        "if ats: | if not ats:",
        "decided by the axis when the file is read",
    ),
    form(
        "else",
        "else:",
        "the block runs if that of the `if` above did not",
    ),
    form(
        "for",
        "for x in TABLE(key):",
        "reads the whole row in one step, then goes over what was read",
    ),
    form(
        "for",
        "for x in pages: | viommus(vm): | slots_of(device):",
        "goes over a fixed set",
    ),
    form(
        "for",
        "for command in queue:",
        "takes the guest's queued commands one by one",
    ),
    form("lock", "lock name", "blocks while another holds it"),
    form("unlock", "unlock name", "lets go of a lock"),
    form(
        "wait",
        "wait until TABLE(key) is empty",
        "blocks until then",
    ),
    form(
        "cmdq",
        "cmdq COMMAND",
        "appends to the guest's command queue",
    ),
    form(
        "cmdq",
        "cmdq SYNC",
        "appends CMD_SYNC and writes CMDQ_PROD: `vmm.doorbell` runs; waits for its consumption",
    ),
    form(
        "hwq",
        "hwq COMMAND",
        "issues a command on the host's hardware queue",
    ),
    form(
        "hwq",
        "hwq SYNC",
        "waits until what was issued on that queue has taken effect",
    ),
    form("hwq", "hwq command", "forwards the taken command as it is"),
    form(
        "hwq",
        "hwq fixup(command)",
        "forwards it with its VMID and StreamID replaced; refused if not in `accepts` or not the guest's",
    ),
    form(
        "hwq",
        "hwq chunk",
        "issues what `chunk` has converted, one command a step",
    ),
    form(
        "chunk",
        "chunk fixup(command)",
        "converts the taken command like `hwq fixup(command)` does, and keeps it until `hwq chunk`",
    ),
    form(
        "vcmdq",
        "vcmdq COMMAND | SYNC",
        "the same on a second hardware queue, directly mapped to the guest",
    ),
    form(
        "exit",
        "exit PROGRAM(arguments)",
        "a guest calls a program of [vmm]",
    ),
    form(
        "ioctl",
        "ioctl PROGRAM(arguments)",
        "the VMM calls a program of [kernel]",
    ),
    form(
        "hypercall",
        "hypercall PROGRAM(arguments)",
        "a guest calls a program of [kernel] or [vmm]",
    ),
    form(
        "call",
        "call PROGRAM(arguments)",
        "calls a program of the same section; costs nothing",
    ),
    form(
        "on",
        "on refusal:",
        "the block runs instead if the call above is refused",
    ),
    form(
        "require",
        "require value in TABLE(key)",
        "refuses the call unless the value is there",
    ),
    form(
        "on",
        "on error:",
        "the block runs if the hardware reports an error of the `hwq` step above; see the axis `errors`",
    ),
    form(
        "report",
        "report",
        "reports what was converted or forwarded so far as handled: entry_num of IOMMU_HWPT_INVALIDATE",
    ),
    form("refuse", "refuse", "refuses the call"),
    form("may", "may fail", "goes on, or refuses"),
    form("return", "return", "ends the program"),
];

/// The words that steps begin with, each once.
pub(crate) fn heads() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    FORMS
        .iter()
        .map(|form| form.head)
        .filter(move |head| std::mem::replace(&mut last, head) != *head)
}

/// How the steps with a head are written.
pub(crate) fn written(head: &str) -> String {
    let forms: Vec<_> = FORMS
        .iter()
        .filter(|form| form.head == head)
        .map(|form| format!("`{}`", form.form))
        .collect();
    forms.join(" or ")
}
