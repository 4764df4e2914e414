//! `cargo xtask test`, the part `counts`: instructions that a packet costs, counted by callgrind. Unlike times they hardly waver.
//!
//! Each work of `bench/src/bin/instructions.rs` runs twice, the second time with twice as much to do; the difference is the
//! price of one more. It may be 15 % over what was counted when the row was written: more is a regression to be found, or a
//! new figure to be justified in the commit that writes it here.

use crate::run::{Failure, cargo, command, output, step, target_dir};
use crate::tools;

/// Instructions of one: an event emitted to nobody, an event that no handler takes, an event answered by an event with
/// the client's part and all wake-ups, the same with 16 KiB, a broadcast's copy to one of a hundred, an event posted and its answer fetched, all likewise.
const COUNTED: [(&str, u64); 6] = [
    ("encode", 1_400),
    ("decode", 2_490),
    ("echo", 7_250),
    ("large", 64_440),
    ("route", 980),
    ("polling", 24_050),
];

/// What the shorter run does.
const TIMES: u64 = 4_000;

pub(crate) fn test() -> Result<(), Failure> {
    tools::valgrind()?;
    let build = ["build", "--release", "--quiet", "--package", "erlen-bench", "--bin", "instructions"];
    step("build what is counted", cargo(&build))?;
    for (work, counted) in COUNTED {
        let one = instructions(work, 2 * TIMES)?.saturating_sub(instructions(work, TIMES)?) / TIMES;
        let gate = counted * 115 / 100;
        eprintln!("   {work}: {one} instructions, at most {gate}");
        if one > gate {
            return Err(Failure::failed(format!("{work} costs {one} instructions, the gate is {gate}")));
        }
        if one == 0 {
            return Err(Failure::failed(format!("{work}: nothing was counted")));
        }
    }
    Ok(())
}

/// Instructions of a whole run, in user space.
fn instructions(work: &str, times: u64) -> Result<u64, Failure> {
    let program = target_dir().join("release/instructions");
    let times = times.to_string();
    let log = target_dir().join("callgrind.log");
    let log_file = format!("--log-file={}", log.display());
    let arguments = [
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        &log_file,
        &program.to_string_lossy(),
        work,
        &times,
    ];
    output(command("valgrind", &arguments))
        .ok_or_else(|| Failure::failed(format!("{work} failed under callgrind")))?;
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    let total = log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    total.ok_or_else(|| Failure::failed(format!("callgrind counted nothing: {log}")))
}
