//! Clients that are broken on purpose, each in the way that a scenario is for: each is caught, by name; and one that is whole is
//! not.

mod client;
#[path = "../common"]
mod common {
    pub(crate) mod search;
}

use client::{Client, Sin};
use midstate_stratum::Difficulty;
use pool_sim::faults::{Check, Faults, Scenario, Verdict, builtin};
use pool_sim::pool::PoolConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which client each scenario is to catch, and by what.
const BROKEN: [(&str, Sin, Check); 58] = [
    ("clean-storm", Sin::KeepsVoidJobs, Check::VoidJobs),
    ("clock-ahead", Sin::UsesItsClock, Check::Time),
    ("clock-behind", Sin::UsesItsClock, Check::Time),
    ("closes", Sin::StaysAway, Check::ComesBack),
    ("closes-at-a-share", Sin::StaysAway, Check::ComesBack),
    ("corrupt-lines", Sin::DiesOfNonsense, Check::Mines),
    ("delayed-answers", Sin::HasNoPatience, Check::Mines),
    ("delayed-jobs", Sin::KeepsVoidJobs, Check::VoidJobs),
    ("difficulty-beyond-reach", Sin::FinishesFirst, Check::Mines),
    ("difficulty-down", Sin::TakesDifficultyAtOnce, Check::Difficulty),
    ("difficulty-up", Sin::IgnoresDifficulty, Check::Difficulty),
    ("duplicate-answers", Sin::DiesOfStrangeAnswers, Check::Mines),
    ("duplicate-jobs", Sin::SearchesBoth, Check::Duplicates),
    ("extranonce-change", Sin::IgnoresExtranonce, Check::Extranonce),
    ("extranonce-unasked", Sin::StopsAtNo, Check::Mines),
    ("false-rejection-20", Sin::SendsAgain, Check::Duplicates),
    ("false-rejection-21", Sin::SendsAgain, Check::Duplicates),
    ("false-rejection-22", Sin::SendsAgain, Check::Duplicates),
    ("false-rejection-23", Sin::StopsAtNo, Check::Mines),
    ("false-rejection-24", Sin::StopsAtNo, Check::Mines),
    ("false-rejection-25", Sin::StopsAtNo, Check::Mines),
    ("get-version", Sin::IsSilent, Check::Answers),
    ("get-version", Sin::AnswersTwice, Check::AnswersOnce),
    ("half-closed", Sin::StaysAway, Check::ComesBack),
    ("huge-lines", Sin::ChokesOnLongLines, Check::Mines),
    ("invalid-utf8", Sin::DiesOfNonsense, Check::Mines),
    ("invalid-utf8", Sin::TalksNonsense, Check::Lines),
    ("lost-answers", Sin::WaitsForAnswers, Check::Mines),
    ("lost-difficulty", Sin::StopsAtNo, Check::Mines),
    ("mask-by-set-version", Sin::IgnoresMask, Check::Mask),
    ("mask-narrows", Sin::IgnoresMask, Check::Mask),
    ("messages", Sin::DiesOfUnknownCalls, Check::Mines),
    ("new-tips", Sin::KeepsVoidJobs, Check::VoidJobs),
    ("no-job-ever", Sin::Hurries, Check::Patience),
    ("no-jobs", Sin::HasNoPatience, Check::Mines),
    ("nonsense", Sin::DiesOfNonsense, Check::Mines),
    ("ping", Sin::IsSilent, Check::Answers),
    ("ping", Sin::AnswersTwice, Check::AnswersOnce),
    ("reconnect-elsewhere", Sin::FollowsAnywhere, Check::Domain),
    ("reconnect-loop", Sin::Hurries, Check::Patience),
    ("refuses-connections", Sin::GivesUp, Check::ComesBack),
    ("rejection-as-false", Sin::WantsListsOfThree, Check::Mines),
    ("rejection-as-object", Sin::WantsListsOfThree, Check::Mines),
    ("rejection-as-pair", Sin::WantsListsOfThree, Check::Mines),
    ("rejection-as-reason", Sin::WantsListsOfThree, Check::Mines),
    ("rejection-as-text", Sin::WantsListsOfThree, Check::Mines),
    ("reordered-answers", Sin::WantsAnswersInOrder, Check::Mines),
    ("restart", Sin::GivesUp, Check::ComesBack),
    ("restart-forgets", Sin::KeepsItsSession, Check::OldSessions),
    ("silence", Sin::HasNoPatience, Check::Mines),
    ("slow-drip", Sin::TakesPartsAsLines, Check::Mines),
    ("stale-jobs", Sin::DiesOfOldJobs, Check::Mines),
    ("strange-payee", Sin::DiesOfStrangePayees, Check::Mines),
    ("string-ids", Sin::DiesOfStrangeAnswers, Check::Mines),
    ("truncated-answers", Sin::DiesOfNonsense, Check::Mines),
    ("truncated-jobs", Sin::DiesOfNonsense, Check::Mines),
    ("withheld-blocks", Sin::WaitsForTheTip, Check::Mines),
    ("wrong-ids", Sin::DiesOfStrangeAnswers, Check::Mines),
];

async fn play(name: &str, sin: Sin) -> Verdict {
    let faults = Arc::new(Faults::new(Scenario::load(name).unwrap()));
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    let config = PoolConfig::new(([127, 0, 0, 1], 0).into(), Difficulty::ONE, pay_to).with_faults(&faults);
    let simulator = pool_sim::start(pool_sim::Config { rpc: None, templates: None, pool: config, premine: 16 }, |_| {})
        .await
        .unwrap();
    let client = Client::new(simulator.pool_address(), sin);
    let stop = Arc::new(AtomicBool::new(false));
    let thread = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || client.mine(&stop))
    };
    faults.ended().await;
    let verdict = faults.verdict();
    stop.store(true, Ordering::Relaxed);
    simulator.stop().await;
    tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
    verdict
}

/// All at once: most of the time they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_are_broken_are_caught_and_one_that_is_whole_is_not() {
    for (name, _) in builtin() {
        assert!(BROKEN.iter().any(|(of, _, _)| *of == name), "no client is broken in the way that {name} is for");
    }
    let mut running = Vec::new();
    for (name, sin, check) in BROKEN {
        running.push((name, sin, Some(check), tokio::spawn(play(name, sin))));
    }
    for (name, _) in builtin() {
        running.push((name, Sin::None, None, tokio::spawn(play(name, Sin::None))));
    }
    let mut failures = Vec::new();
    for (name, sin, check, verdict) in running {
        let verdict = verdict.await.unwrap();
        let is_right = match check {
            None => verdict.is_clean() && (verdict.due > 0 || name == "no-job-ever"),
            Some(check) => verdict.counts.iter().any(|(found, _)| *found == check),
        };
        if !is_right {
            failures.push(format!("{name}, {sin:?}: {}", verdict.to_text()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_program_shows_scenarios_and_names_what_it_does_not_know() {
    let program = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_pool-sim")).args(arguments).output().unwrap()
    };
    let list = program(&["scenario", "list"]);
    let lines = String::from_utf8(list.stdout).unwrap();
    assert!(list.status.success() && lines.lines().count() >= 40 && lines.contains("\nrestart-forgets: "), "{lines}");
    let shown = program(&["scenario", "show", "restart"]);
    assert_eq!(Scenario::parse("shown", std::str::from_utf8(&shown.stdout).unwrap()).unwrap().name, "restart");
    for arguments in [&["--scenario", "no-such"][..], &["scenario", "show", "no-such"], &["--junit", "x"]] {
        let ended = program(arguments);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    }
}
